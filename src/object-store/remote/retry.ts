import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, given } from '../../foundation/index.ts'
import { cancelled } from '../errors.ts'
import { remoteError } from './failure.ts'
import type { Explanation, Remote } from './remote.ts'

export interface RetryLimits {
  readonly attempts: number
  /** Maximum pause before the second attempt in milliseconds; doubles each time, with full jitter. */
  readonly pauseMs: number
  readonly longestPauseMs: number
  /** Milliseconds for one attempt. */
  readonly attemptMs: number
  /** Milliseconds for all attempts of one request. */
  readonly totalMs: number
}

/** One attempt sends at most one part of 8 MiB: 60 s suffice at about 1.2 Mbit/s. */
export const RETRY_LIMITS: RetryLimits = {
  attempts: 6,
  pauseMs: 200,
  longestPauseMs: 10_000,
  attemptMs: 60_000,
  totalMs: 180_000,
}

/** A failure that retrying cannot fix; never leaves this folder. */
export class RemoteFailure extends Error {
  readonly explanation: Explanation

  constructor(explanation: Explanation) {
    super(explanation.reason)
    this.explanation = explanation
  }
}

/**
 * Repeats `attempt` until it succeeds, fails permanently, or the limits are reached: then `timeout`,
 * `rate_limited` or `unavailable`. Failures that only the caller can judge are a {@link RemoteFailure}.
 */
export async function retrying<T>(
  remote: Remote,
  limits: RetryLimits,
  key: string,
  signal: AbortSignal | undefined,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const total = AbortSignal.timeout(limits.totalMs)
  for (let made = 1; ; made++) {
    if (signal?.aborted) throw cancelled(key)
    const own = AbortSignal.timeout(limits.attemptMs)
    const stop = AbortSignal.any(signal === undefined ? [total, own] : [total, own, signal])
    try {
      return await abortable(attempt(stop), stop)
    } catch (error) {
      if (signal?.aborted) throw cancelled(key)
      const failed = judge(remote, key, error, own.aborted || total.aborted)
      if (!failed.mayPass || made >= limits.attempts || total.aborted) throw failed.error
    }
    await pause(limits, made, signal).catch(() => {
      throw cancelled(key)
    })
  }
}

/** The error for the caller, and whether it is retryable. */
function judge(
  remote: Remote,
  key: string,
  error: unknown,
  late: boolean,
): { readonly error: Error; readonly mayPass: boolean } {
  if (error instanceof AkashiError) return { error, mayPass: false }
  if (late) return { error: tooSlow(remote, key), mayPass: true }
  const explanation = remote.explain(error)
  if (explanation.failure !== 'passing' && explanation.failure !== 'throttled') {
    return { error: new RemoteFailure(explanation), mayPass: false }
  }
  return { error: remoteError(remote, explanation, key), mayPass: true }
}

function pause(limits: RetryLimits, made: number, signal: AbortSignal | undefined): Promise<void> {
  const longest = Math.min(limits.longestPauseMs, limits.pauseMs * 2 ** (made - 1))
  return sleep(longest * Math.random(), undefined, given({ signal }))
}

/** Rejects on abort even if the client ignores the signal. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function tooSlow(remote: Remote, key: string): AkashiError {
  return new AkashiError('timeout', 'the object store did not respond in time', {
    hint: `check that ${remote.location} can be reached`,
    detail: { key },
  })
}
