import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../foundation/index.ts'
import { asAdministrator } from '../administrator.ts'
import { tryLock } from '../advisory-lock.ts'
import { SQLSTATE, sqlState } from '../sqlstate.ts'
import type { DirectSession, Session } from '../types.ts'

export interface MigrateOptions {
  /** An administrator's, directly to the server: session locks do not work through a pooler. */
  readonly url: string
  /** Folder of the migration files. */
  readonly directory: string
  readonly signal?: AbortSignal
}

/** Name of the session advisory lock that the migrating process holds. */
const MIGRATION_LOCK = 'akashi.migrations'

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

export function asMigrator<T>(
  options: MigrateOptions,
  work: (session: DirectSession) => Promise<T>,
): Promise<T> {
  return asAdministrator({ ...options, applicationName: 'akashi migrate' }, work)
}

/**
 * Polls, because waiting inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY of the lock's
 * holder would wait for it. The lock ends with the connection.
 */
export async function lockMigrations(session: Session): Promise<void> {
  let held: string | undefined
  for (let waited = 0; waited < MIGRATION_WAIT_MS; waited += MIGRATION_POLL_MS) {
    const { key, others } = await tryLock(session, MIGRATION_LOCK, 'owner')
    if (key !== null) return
    held = others
    await sleep(MIGRATION_POLL_MS)
  }
  throw new AkashiError('timeout', 'another process has been migrating for too long', {
    hint: `look in pg_stat_activity for the application name "akashi migrate"${held === undefined ? '' : `; these logins hold the locks of migrations without a reason: ${held}`}`,
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
