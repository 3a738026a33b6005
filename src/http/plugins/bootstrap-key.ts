import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { isLoopbackAddress } from '../loopback.ts'
import type { App } from '../schema.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a key to callers on this machine. */
    readonly openOnLoopback?: boolean
  }
}

const bearer = /^bearer ([\w.~+/=-]{1,512})$/i

/** Refuses requests without `authorization: Bearer <bootstrap key>`. */
export function requireBootstrapKey(app: App, bootstrapKey: (presented: string) => boolean): void {
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.openOnLoopback === true && isDirectlyLocal(request)) {
      return
    }
    const presented = bearer.exec(request.headers.authorization ?? '')?.[1]
    if (presented === undefined || !bootstrapKey(presented)) {
      throw new AkashiError('unauthenticated', 'this needs the bootstrap key', {
        hint: 'send authorization: Bearer <bootstrap key>',
      })
    }
  })
}

/** A proxy on this machine speaks for callers elsewhere, so what it forwards is not local. */
function isDirectlyLocal(request: FastifyRequest): boolean {
  const forwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (name) => name in request.headers,
  )
  return !forwarded && isLoopbackAddress(request.socket.remoteAddress)
}
