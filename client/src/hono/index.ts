/** Hono: `app.use(requestContext({ user: (c) => c.get('user')?.id, trustedProxies: 1 }))`. */
import type { Context, MiddlewareHandler } from 'hono'
import { withActor } from '../actor.ts'
import { type FetchOptions, forwardedAddress } from '../forwarded.ts'
import { requestActor } from '../request.ts'

/** Runs what follows on behalf of the user of the request. */
export function requestContext(options: FetchOptions<Context>): MiddlewareHandler {
  return async (context, next) => {
    const actor = requestActor(
      context,
      {
        clientIp: forwardedAddress(context.req.header('x-forwarded-for'), options.trustedProxies),
        method: context.req.method,
        route: context.req.path,
        header: (name) => context.req.header(name),
      },
      options,
    )
    await withActor(actor, next)
  }
}
