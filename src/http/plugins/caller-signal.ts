import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Aborted when the caller is gone before the answer. Fastify's own `request.signal` is aborted as soon as a
 * body was read, since Node closes the request's stream then: it serves requests without one only.
 */
export function callerSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return controller.signal
}

/** Whether nobody waits for the answer any more. */
export function isCallerGone(request: FastifyRequest): boolean {
  return request.raw.socket.destroyed
}
