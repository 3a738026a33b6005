/** Next.js and everything that takes a Request: `export const POST = context(async (request) => …)`. */
import { withActor } from '../actor.ts'
import { type FetchOptions, forwardedAddress } from '../forwarded.ts'
import { requestActor } from '../request.ts'

/** Wraps handlers of routes, so that they run on behalf of the user of the request. */
export function requestContext<R extends Request>(
  options: FetchOptions<R>,
): <More extends unknown[], T>(
  handler: (request: R, ...more: More) => T,
) => (request: R, ...more: More) => T {
  return (handler) =>
    (request, ...more) =>
      withActor(
        requestActor(
          request,
          {
            clientIp: forwardedAddress(request.headers.get('x-forwarded-for'), options.trustedProxies),
            method: request.method,
            route: new URL(request.url).pathname,
            header: (name) => request.headers.get(name) ?? undefined,
          },
          options,
        ),
        () => handler(request, ...more),
      )
}
