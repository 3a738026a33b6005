/**
 * Limits concurrent password hashes. One takes 19 MiB and some 10 ms of a thread of Node's pool, which file access and
 * name resolution share: without a limit, a burst of logins would use all memory and threads.
 */
import { availableParallelism } from 'node:os'
import { AkashiError } from '../../foundation/index.ts'

/** Half of the four threads of Node's pool, and at most the number of processors. */
const CONCURRENT_HASHES = Math.max(1, Math.min(2, availableParallelism()))
/** Maximum waiting calls; at some 60 hashes per second, the last one waits about 4 s. */
const WAITING_HASHES = 256
/** Waiting calls that yield to all others, such as changes of passwords. */
const WAITING_YIELDING = 32

export interface Gate {
  /** Runs `work` when a slot is free. @throws unavailable when too many wait; the reason of `signal` when it aborts first */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** The same, after everybody who waits in `run`, so that signed-in people do not delay sign-ins. */
  yield<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function openGate(concurrent: number = CONCURRENT_HASHES, waiting: number = WAITING_HASHES): Gate {
  const first = new Set<() => void>()
  const last = new Set<() => void>()
  let running = 0

  async function place(queue: Set<() => void>, most: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (running < concurrent) {
      running += 1
      return
    }
    if (queue.size >= most) {
      throw new AkashiError('unavailable', 'too many passwords are being checked', {
        hint: 'try again in a few seconds',
      })
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      queue.delete(resolve)
      reject(signal?.reason)
    }
    queue.add(resolve)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } finally {
      const [next] = [...first, ...last]
      if (next === undefined) {
        running -= 1
      } else {
        // The place goes to the next call, so that a newcomer cannot take it in between.
        first.delete(next)
        last.delete(next)
        next()
      }
    }
  }

  return {
    run: async (work, signal) => {
      await place(first, waiting, signal)
      return await inTurn(work)
    },
    yield: async (work, signal) => {
      await place(last, WAITING_YIELDING, signal)
      return await inTurn(work)
    },
  }
}
