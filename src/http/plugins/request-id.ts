import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { uuidV7 } from '../../foundation/index.ts'
import type { App } from '../schema.ts'

/** What a caller may choose as an id: it is written into logs and the trail. */
const recordableId = /^[\w.:/+=@-]{1,128}$/

function recordable(id: string | readonly string[] | undefined): string | undefined {
  return typeof id === 'string' && recordableId.test(id) ? id : undefined
}

/** The caller's `x-request-id` when it is fit to be recorded, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  return recordable(request.headers['x-request-id']) ?? uuidV7()
}

/** The caller's `x-correlation-id`, which joins requests of one undertaking, when it is fit to be recorded. */
export function correlationIdOf(headers: IncomingHttpHeaders): string | undefined {
  return recordable(headers['x-correlation-id'])
}

/** Responses carry the ids that are recorded: a correlation id that is missing there was not taken. */
export function echoRequestIds(app: App): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    const correlationId = correlationIdOf(request.headers)
    if (correlationId !== undefined) reply.header('x-correlation-id', correlationId)
  })
}
