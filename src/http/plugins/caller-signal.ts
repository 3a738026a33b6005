import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Aborted when the response is no longer needed: the caller disconnected, or the response was sent, which
 * includes handler timeouts. Use it instead of Fastify's `request.signal`, which is aborted as soon as the body
 * has been read, because Node closes the request stream then.
 */
export function callerSignal(reply: FastifyReply): AbortSignal {
  if (reply.raw.closed) return AbortSignal.abort()
  const controller = new AbortController()
  reply.raw.once('close', () => controller.abort())
  return controller.signal
}

/** Whether the caller has disconnected. */
export function isCallerGone(request: FastifyRequest): boolean {
  return request.raw.socket.destroyed
}
