import type { IncomingMessage } from 'node:http'
import { uuidV7 } from '../../foundation/index.ts'
import type { App } from '../schema.ts'

/** What a caller may choose as a request id: it is written into logs and the trail. */
const saneRequestId = /^[\w.:/+=@-]{1,128}$/

/** The caller's `x-request-id` when it is fit to be recorded, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && saneRequestId.test(given) ? given : uuidV7()
}

export function echoRequestId(app: App): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
}
