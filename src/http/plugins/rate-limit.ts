import rateLimit from '@fastify/rate-limit'
import { AkashiError } from '../../foundation/index.ts'
import { networkOf } from '../client-address.ts'
import type { HttpLimits } from '../limits.ts'
import type { App } from '../schema.ts'

const MS_PER_S = 1_000

/** Limits the requests of each address, including those that match no route. */
export function limitRate(app: App, limits: HttpLimits): void {
  app.register(rateLimit, {
    global: false,
    keyGenerator: networkOf,
    max: limits.rateMax,
    timeWindow: limits.rateWindowMs,
    enableDraftSpec: true,
    errorResponseBuilder: (_request, { ttl }) =>
      new AkashiError('rate_limited', 'too many requests from this address', {
        hint: `wait ${Math.ceil(ttl / MS_PER_S)} s`,
      }),
  })
  app.after(() => {
    app.addHook('onRequest', app.rateLimit())
  })
}
