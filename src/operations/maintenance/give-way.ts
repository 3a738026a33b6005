/**
 * Maintenance gives way. Its statements take locks that let every row be read and written, but an application that
 * alters the table waits for them, and all others then queue behind it. Therefore a second connection
 * watches, and cancels the statement as soon as another session waits for it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { given } from '../../foundation/index.ts'
import { type Database, type DirectSession, SQLSTATE, sqlState } from '../../postgres/index.ts'

/** Milliseconds between two checks for waiting sessions; far below what an application notices. */
const WATCH_MS = 25
/**
 * Milliseconds that maintenance waits for a lock or for an old transaction to end, while no other session
 * waits for it.
 */
const LOCK_WAIT_MS = 30_000

/**
 * `gave_way`: another session waited for it. `busy`: a lock or an old transaction blocked it for too long.
 */
export type Outcome = 'done' | 'gave_way' | 'busy'

export interface MaintenanceSession {
  readonly session: DirectSession
  /** Runs one statement outside of any transaction. */
  run(statement: string): Promise<Outcome>
}

/** Two connections of the login: one that works, and one that watches. */
export async function withMaintenance<T>(
  database: Database,
  signal: AbortSignal | undefined,
  work: (session: MaintenanceSession) => Promise<T>,
): Promise<T> {
  const options = { ...given({ signal }), timeoutMs: 0 }
  return await database.direct(
    (session) =>
      database.direct(async (watcher) => {
        await session.query(`select set_config('lock_timeout', $1, false)`, [String(LOCK_WAIT_MS)])
        const { rows } = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
        const pid = rows[0]?.pid
        if (pid === undefined) throw new Error('a select without a table returns one row')
        return await work({ session, run: (statement) => run({ session, watcher, pid, statement }) })
      }, options),
    options,
  )
}

async function run({
  session,
  watcher,
  pid,
  statement,
}: {
  readonly session: DirectSession
  readonly watcher: DirectSession
  readonly pid: number
  readonly statement: string
}): Promise<Outcome> {
  const ended = new AbortController()
  const watching = watch(watcher, pid, ended.signal)
  try {
    await session.query(statement)
    return 'done'
  } catch (error) {
    if (sqlState(error) === SQLSTATE.lockNotAvailable) return 'busy'
    ended.abort()
    if (await watching) return 'gave_way'
    throw error
  } finally {
    ended.abort()
    await watching.catch(() => undefined)
  }
}

/** Whether it had to cancel the process. */
async function watch(watcher: DirectSession, pid: number, ended: AbortSignal): Promise<boolean> {
  for (;;) {
    await sleep(WATCH_MS, undefined, { signal: ended }).catch(() => undefined)
    if (ended.aborted) return false
    const { rows } = await watcher.query<{ cancelled: boolean }>(
      `select pg_cancel_backend($1) as cancelled where exists (
         select from pg_locks l where not l.granted and l.pid <> $1 and $1 = any (pg_blocking_pids(l.pid)))`,
      [pid],
    )
    if (rows[0]?.cancelled === true) return true
  }
}
