import { createHash } from 'node:crypto'
import { SOCKET_PATH } from '@akashi/contract'
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import type { HttpLimits } from '../limits.ts'
import type { App } from '../schema.ts'
import { cookieNames, readCookie } from './session-cookie.ts'

/** Seconds after which a refused request may be sent again: by then one of the others has ended. */
const RETRY_AFTER_S = 1

/**
 * Limits how many requests with the same credentials are handled at once, before the credentials are looked
 * up: a caller who sends more leaves the connections of the database to the others. Register it after the
 * cookies are parsed.
 */
export function limitInFlight(app: App, { inFlightPerCaller }: HttpLimits): void {
  const callers = new Map<string, number>()
  app.after(() => {
    app.addHook('onRequest', async (request, reply) => {
      const caller = callerOf(request)
      // A socket stays open; how many a person may have is its own limit.
      if (caller === undefined || request.routeOptions.url === SOCKET_PATH) return
      const others = callers.get(caller) ?? 0
      if (others >= inFlightPerCaller) {
        throw new AkashiError('rate_limited', 'too many requests of this caller are being handled', {
          hint: `send at most ${inFlightPerCaller} at once`,
          detail: { retryAfterSeconds: RETRY_AFTER_S },
        })
      }
      callers.set(caller, others + 1)
      reply.raw.once('close', () => {
        const left = (callers.get(caller) ?? 1) - 1
        if (left === 0) callers.delete(caller)
        else callers.set(caller, left)
      })
    })
  })
}

/** A digest of the presented credentials; undefined without any. */
function callerOf(request: FastifyRequest): string | undefined {
  const presented = request.headers.authorization ?? readCookie(request, cookieNames.session)
  return presented === undefined ? undefined : createHash('sha256').update(presented).digest('base64')
}
