import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../foundation/index.ts'

const LOCK_NOT_AVAILABLE = '55P03'

export interface LockRetry {
  /** For the error message. */
  readonly partition: string
  /** Milliseconds to keep trying. */
  readonly waitMs: number
  /** Milliseconds between two attempts. */
  readonly pauseMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Retries work with a short lock timeout, so that it blocks writers only briefly, yet can wait for a long reader.
 * @throws conflict when the lock was never available
 */
export async function retryWhileLocked<T>(
  work: () => Promise<T>,
  { partition, waitMs, pauseMs, signal }: LockRetry,
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
          hint: 'wait for transactions that read the table; the next run tries again',
          cause: error,
        })
      }
    }
    await sleep(pauseMs, undefined, signal === undefined ? {} : { signal })
  }
}
