import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../foundation/index.ts'
import type { App } from './schema.ts'

/** Routes whose body is a stream: it is never parsed, regardless of its content type. */
export function withRawBodies(app: App, routes: (uploads: App) => void): void {
  app.register((uploads: App, _, done) => {
    uploads.removeAllContentTypeParsers()
    uploads.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload))
    routes(uploads)
    done()
  })
}

/** @param what is sent, for the error @throws AkashiError invalid_input without a body */
export function rawBody({ body }: Pick<FastifyRequest, 'body'>, what: string): Readable {
  if (body instanceof Readable) return body
  throw new AkashiError('invalid_input', `the ${what} is empty`, { hint: 'send its bytes as the body' })
}
