/** Express: `app.use(requestContext({ user: (request) => request.user?.id }))`, after what authenticates. */
import type { Request, RequestHandler } from 'express'
import { withActor } from '../actor.ts'
import { addressOf } from '../address.ts'
import { type RequestOptions, requestActor } from '../request.ts'

/** Runs what follows on behalf of the user of the request. The address is that of Express's setting `trust proxy`. */
export function requestContext(options: RequestOptions<Request>): RequestHandler {
  return (request, _response, next) => {
    const actor = requestActor(
      request,
      {
        clientIp: addressOf(request.ip ?? ''),
        method: request.method,
        route: request.path,
        header: (name) => request.get(name),
      },
      options,
    )
    withActor(actor, () => next())
  }
}
