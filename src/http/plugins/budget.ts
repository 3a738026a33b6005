/** Limits the requests of each caller to a costly route, per window and node. */
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { networkOf } from '../client-address.ts'

export interface Budget {
  readonly requests: number
  readonly seconds: number
}

/** Callers that one route remembers; the oldest is forgotten first. */
const MAX_CALLERS = 10_000
const MS_PER_S = 1_000

interface Spent {
  requests: number
  /** In ms of the monotonic clock. */
  readonly until: number
}

/** @throws AkashiError rate_limited, from the returned function, once the caller has spent the budget */
export function spending({ requests, seconds }: Budget): (request: FastifyRequest) => void {
  const callers = new Map<string, Spent>()
  return (request) => {
    const { userId, sessionId } = request.actor
    // All sessions and keys of a person share one budget.
    const caller = userId ?? sessionId ?? networkOf(request)
    const now = performance.now()
    const known = callers.get(caller)
    const spent =
      known === undefined || known.until <= now ? { requests: 0, until: now + seconds * MS_PER_S } : known
    spent.requests += 1
    callers.delete(caller)
    callers.set(caller, spent)
    const [oldest] = callers.keys()
    if (callers.size > MAX_CALLERS && oldest !== undefined) callers.delete(oldest)
    if (spent.requests <= requests) return
    const retryAfterSeconds = Math.ceil((spent.until - now) / MS_PER_S)
    throw new AkashiError('rate_limited', 'too many requests for this operation', {
      hint: `wait ${retryAfterSeconds} s`,
      detail: { retryAfterSeconds },
    })
  }
}
