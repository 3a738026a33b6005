import { AkashiError } from '../../foundation/index.ts'
import { isLoopbackAddress, isLoopbackHost } from '../loopback.ts'
import type { App } from '../schema.ts'

/**
 * While no identity exists, only this machine is served. A foreign Host header is how a page elsewhere
 * reaches a local server: its own name, made to resolve to 127.0.0.1 (DNS rebinding).
 */
export function serveLoopbackOnly(app: App): void {
  app.addHook('onRequest', async (request) => {
    if (!isLoopbackAddress(request.socket.remoteAddress)) {
      throw new AkashiError('forbidden', 'only this machine is served', {
        hint: 'connect from the machine itself, for example through an ssh tunnel',
      })
    }
    if (!isLoopbackHost(request.headers.host)) {
      throw new AkashiError('forbidden', 'the host name is not one of this machine', {
        hint: 'use localhost, 127.0.0.1 or [::1]',
      })
    }
  })
}
