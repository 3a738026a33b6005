/** Ends an epoch while others write: a lock that is released at once shows that no writer is between two epochs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../../foundation/index.ts'
import { type Session, SQLSTATE, sqlState } from '../../../postgres/index.ts'
import type { LogDefinition } from '../logs.ts'

/** How often an epoch is tried while a transaction that wrote stays open, and the pause between, in milliseconds. */
const FENCE_ATTEMPTS = 10
const FENCE_PAUSE_MS = 1_000

/** What ends one epoch and begins the next. */
export interface Fence {
  /** Rows up to this seq are of the epoch that ends. */
  readonly floor: string
  /** Later rows are of transactions at or after this one. */
  readonly xmin: string
}

export async function fenceLog(session: Session, log: LogDefinition): Promise<Fence> {
  const { rows } = await session.query<Fence>(
    'select floor::text, xmin::text from akashi_audit.fence_log($1)',
    [log.log],
  )
  return rows[0] ?? { floor: '0', xmin: '0' }
}

/** Retries while a transaction that wrote to the log is open, so that no writer queues behind a waiting lock. */
export async function betweenWriters<T>(log: LogDefinition, open: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open()
    } catch (error) {
      if (sqlState(error) !== SQLSTATE.lockNotAvailable) throw error
      if (attempt === FENCE_ATTEMPTS) {
        throw new AkashiError(
          'conflict',
          `log ${log.log} needs a new epoch, but a transaction that wrote to it remains open`,
          { hint: 'end that transaction; the next attempt is made within a minute', cause: error },
        )
      }
      await sleep(FENCE_PAUSE_MS)
    }
  }
}
