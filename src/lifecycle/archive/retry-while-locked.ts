import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../foundation/index.ts'
import { SQLSTATE, sqlState } from '../../postgres/index.ts'
import { DETACH_PAUSE_MS, DETACH_WAIT_MS } from './limits.ts'

/**
 * Repeats an operation that waits only briefly for its locks, so that writers queue behind it no longer than
 * that, and a reader of an hour is waited for. `conflict` when the table was never free.
 *
 * @param options.partition named in the error
 * @param options.waitMs milliseconds to go on trying; default DETACH_WAIT_MS
 */
export async function retryWhileLocked<T>(
  work: () => Promise<T>,
  options: {
    readonly partition: string
    readonly waitMs?: number | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<T> {
  const { partition, waitMs = DETACH_WAIT_MS, signal } = options
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (sqlState(error) !== SQLSTATE.lockNotAvailable) throw error
      if (performance.now() > deadline) {
        throw new AkashiError('conflict', `${partition} could not be locked: its table is in use`, {
          hint: 'wait for transactions that read the table; the next run tries again',
          cause: error,
        })
      }
    }
    await sleep(DETACH_PAUSE_MS, undefined, signal === undefined ? {} : { signal })
  }
}
