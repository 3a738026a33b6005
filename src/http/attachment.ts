import type { FastifyReply } from 'fastify'

/** Sends bytes that the browser saves. @param name of the file, without characters that a header would have to escape */
export function sendAttachment(
  reply: FastifyReply,
  { name, type }: { readonly name: string; readonly type: string },
  bytes: string | Uint8Array,
): FastifyReply {
  return reply.type(type).header('content-disposition', `attachment; filename="${name}"`).send(bytes)
}
