import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { uuidV7 } from '../../foundation/index.ts'
import type { App } from '../schema.ts'

/** Accepted ids of callers; they are written to logs and the audit trail. */
const recordableId = /^[\w.:/+=@-]{1,128}$/

function recordable(id: string | readonly string[] | undefined): string | undefined {
  return typeof id === 'string' && recordableId.test(id) ? id : undefined
}

/** The caller's `x-request-id` if it is valid, else a new id. */
export function requestIdOf(request: IncomingMessage): string {
  return recordable(request.headers['x-request-id']) ?? uuidV7()
}

/** The caller's `x-correlation-id`, which groups related requests, if it is valid. */
export function correlationIdOf(headers: IncomingHttpHeaders): string | undefined {
  return recordable(headers['x-correlation-id'])
}

/** Responses contain the recorded ids; a missing correlation id was not accepted. */
export function echoRequestIds(app: App): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    const correlationId = correlationIdOf(request.headers)
    if (correlationId !== undefined) reply.header('x-correlation-id', correlationId)
  })
}
