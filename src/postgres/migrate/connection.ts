import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../foundation/index.ts'
import { ContextSigner } from '../context-signer.ts'
import { runDirect } from '../direct.ts'
import { SQLSTATE, sqlState } from '../sqlstate.ts'
import type { DirectSession, Session } from '../types.ts'

export interface MigrateOptions {
  /** An administrator's, directly to the server: session locks do not work through a pooler. */
  readonly url: string
  /** Folder of the migration files. */
  readonly directory: string
  readonly signal?: AbortSignal
}

/** Key of the session advisory lock that the migrating process holds: "akashi" in ASCII. */
export const MIGRATION_LOCK = 0x616b_6173_6869n

/** Milliseconds that a migration waits for a table lock, which is also how long it can block those queued behind it. */
export const MIGRATION_LOCK_TIMEOUT_MS = 100

/** How often a migration that does not get its locks is attempted. */
export const MIGRATION_ATTEMPTS = 60

/** Longest pause between two attempts, in milliseconds, so that the application can proceed. */
export const MIGRATION_PAUSE_MS = 1_000

/** Milliseconds to wait while another process migrates. */
export const MIGRATION_WAIT_MS = 600_000

/** Milliseconds between two checks whether the other process has finished. */
const MIGRATION_POLL_MS = 100

export function asAdministrator<T>(
  options: MigrateOptions,
  work: (session: DirectSession) => Promise<T>,
): Promise<T> {
  const environment = {
    role: 'owner',
    signer: new ContextSigner(undefined),
    statementTimeoutMs: 0,
  } as const
  const { url, signal } = options
  return runDirect(url, 'akashi migrate', environment, work, signal === undefined ? {} : { signal })
}

/**
 * Polls, because waiting inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY of the lock's
 * holder would wait for it. The lock ends with the connection.
 */
export async function lockMigrations(session: Session): Promise<void> {
  for (let waited = 0; waited < MIGRATION_WAIT_MS; waited += MIGRATION_POLL_MS) {
    const { rows } = await session.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      MIGRATION_LOCK,
    ])
    if (rows[0]?.locked === true) {
      return
    }
    await sleep(MIGRATION_POLL_MS)
  }
  throw new AkashiError('timeout', 'another process has been migrating for too long', {
    hint: 'look in pg_stat_activity for the application name "akashi migrate"',
  })
}

/** One transaction with short lock waits, retried until it gets its locks. */
export async function withBriefLocks<T>(session: Session, what: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    await session.query('begin')
    try {
      await session.query(`select set_config('lock_timeout', $1, true)`, [`${MIGRATION_LOCK_TIMEOUT_MS}ms`])
      const result = await work()
      await session.query('commit')
      return result
    } catch (error) {
      await session.query('rollback').catch(() => undefined)
      if (!isLockFailure(error)) {
        throw error
      }
      if (attempt === MIGRATION_ATTEMPTS) {
        throw new AkashiError('conflict', `${what} did not get its locks`, {
          hint: 'end long-running transactions (see pg_stat_activity), then try again',
          cause: error,
        })
      }
    }
    await sleep(Math.random() * Math.min(MIGRATION_LOCK_TIMEOUT_MS * attempt, MIGRATION_PAUSE_MS))
  }
}

function isLockFailure(error: unknown): boolean {
  const state = sqlState(error)
  return state === SQLSTATE.lockNotAvailable || state === SQLSTATE.deadlock
}
