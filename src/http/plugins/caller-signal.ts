import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Aborted when nobody waits for the answer any more: the caller has gone, or the answer was sent, which it is
 * also when the handler took too long. Use it in place of Fastify's `request.signal`, which is aborted as soon
 * as a body was read, since Node closes the request's stream then.
 */
export function callerSignal(reply: FastifyReply): AbortSignal {
  if (reply.raw.closed) return AbortSignal.abort()
  const controller = new AbortController()
  reply.raw.once('close', () => controller.abort())
  return controller.signal
}

/** Whether nobody waits for the answer any more. */
export function isCallerGone(request: FastifyRequest): boolean {
  return request.raw.socket.destroyed
}
