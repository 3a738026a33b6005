/** Fastify: `app.register(requestContext, { user: (request) => request.user?.id })`. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { withActor } from '../actor.ts'
import { addressOf } from '../address.ts'
import { type RequestOptions, requestActor } from '../request.ts'

/**
 * Runs handlers on behalf of the user of the request, after the hooks `onRequest` that authenticate. The address is
 * that of Fastify's option `trustProxy`, the request id that of its `genReqId`.
 */
async function plugin(app: FastifyInstance, options: RequestOptions<FastifyRequest>): Promise<void> {
  app.addHook('preHandler', (request, _reply, done) => {
    const actor = requestActor(
      request,
      {
        clientIp: addressOf(request.ip),
        method: request.method,
        route: request.routeOptions.url,
        header: (name) => [request.headers[name]].flat()[0],
        requestId: request.id,
      },
      options,
    )
    withActor(actor, done)
  })
}

/** For the whole application, not just what is registered beside it. */
export const requestContext = Object.assign(plugin, { [Symbol.for('skip-override')]: true })
