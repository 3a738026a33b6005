import { addressOf, traceIdOf } from '@akashi/client'
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { type Actor, anonymous } from '../../postgres/index.ts'
import type { App } from '../schema.ts'
import { correlationIdOf } from './request-id.ts'
import { traceIdOfRequest } from './tracing.ts'

const actors = new WeakMap<FastifyRequest, Actor>()

declare module 'fastify' {
  interface FastifyRequest {
    /** The actor of the request's transactions, with its origin. */
    readonly actor: Actor
  }
}

export function describeActor(app: App, applicationVersion: string): void {
  app.decorateRequest('actor', {
    getter() {
      const actor = actors.get(this)
      if (actor === undefined) {
        throw new AkashiError('internal', 'the request has no actor yet')
      }
      return actor
    },
  })
  app.addHook('onRequest', async (request) => {
    const traceparent = request.headers['traceparent']
    const userAgent = request.headers['user-agent']
    const origin = {
      clientIp: addressOf(request.ip),
      userAgent,
      requestId: request.id,
      correlationId: correlationIdOf(request.headers),
      traceId:
        traceIdOfRequest(request) ?? traceIdOf(typeof traceparent === 'string' ? traceparent : undefined),
      apiEndpoint: `${request.method} ${request.routeOptions.url ?? '(no route)'}`,
      applicationVersion,
    }
    actors.set(request, anonymous('not authenticated', origin))
  })
}

/** Sets the actor after authentication. */
export function identifyActor(request: FastifyRequest, actor: Actor): void {
  actors.set(request, actor)
}
