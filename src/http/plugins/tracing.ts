import type { FastifyRequest } from 'fastify'
import { type Span, startSpan } from '../../foundation/index.ts'
import type { App } from '../schema.ts'

const spans = new WeakMap<FastifyRequest, Span>()

const FIRST_SERVER_ERROR = 500

/** The trace of a request, where requests are traced. */
export function traceIdOfRequest(request: FastifyRequest): string | undefined {
  return spans.get(request)?.traceId
}

/** A span for every request, part of the caller's trace, by method and route pattern: never by path, query or person. */
export function traceRequests(app: App): void {
  app.addHook('onRequest', (request, _, done) => {
    const { traceparent } = request.headers
    const route = request.routeOptions.url ?? '(no route)'
    const span = startSpan(`${request.method} ${route}`, {
      kind: 'server',
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      attributes: {
        'http.request.method': request.method,
        'http.route': route,
        'akashi.request_id': request.id,
      },
    })
    if (span === undefined) return done()
    spans.set(request, span)
    span.run(done)
  })
  // The body arrives in events of the socket, which know nothing of the request.
  app.addHook('preValidation', (request, _, done) => {
    const span = spans.get(request)
    if (span === undefined) done()
    else span.run(done)
  })
  app.addHook('onResponse', async (request, reply) => {
    const span = spans.get(request)
    const { statusCode } = reply
    span?.set({ 'http.response.status_code': statusCode })
    span?.end(statusCode >= FIRST_SERVER_ERROR ? new ServerError(String(statusCode)) : undefined)
  })
}

/** What a span says of a response of the class 5xx: its status. */
class ServerError extends Error {
  constructor(status: string) {
    super(status)
    this.name = status
  }
}
