import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../foundation/index.ts'

const LOCK_NOT_AVAILABLE = '55P03'

export interface Patience {
  /** Named where it ends. */
  readonly partition: string
  /** Milliseconds to go on trying. */
  readonly waitMs: number
  /** Milliseconds between two attempts. */
  readonly pauseMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Tries again and again what waits only shortly for its locks, so that writers never wait longer than that for
 * us, and a reader of an hour is waited for. `conflict` when the table was never free.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { partition, waitMs, pauseMs, signal }: Patience,
): Promise<T> {
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const locked = error instanceof AkashiError && error.detail['sqlstate'] === LOCK_NOT_AVAILABLE
      if (!locked) throw error
      if (performance.now() > deadline) {
        throw new AkashiError('conflict', `${partition} could not be detached: its table is in use`, {
          hint: 'transactions that read the table end first; the next run tries again',
          cause: error,
        })
      }
    }
    await sleep(pauseMs, undefined, signal === undefined ? {} : { signal })
  }
}
