import { AkashiError } from '../../foundation/index.ts'
import { isLoopbackAddress, isLoopbackHost } from '../loopback.ts'
import type { App } from '../schema.ts'

/**
 * Without a public URL only this machine is served; with one, everybody who asks for it by that name. A foreign
 * Host header is how a page elsewhere reaches a local server: its own name, made to resolve to 127.0.0.1
 * (DNS rebinding).
 */
export function serveKnownHosts(app: App, publicUrl: string | undefined): void {
  const publicHost = publicUrl === undefined ? undefined : new URL(publicUrl).host
  app.addHook('onRequest', async (request) => {
    const host = request.headers.host?.toLowerCase()
    if (publicHost !== undefined && host === publicHost) return
    if (!isLoopbackAddress(request.socket.remoteAddress)) {
      throw new AkashiError('forbidden', 'only this machine is served under this name', {
        hint: 'connect from the machine itself, or by the name of the setting publicUrl',
      })
    }
    if (!isLoopbackHost(host)) {
      throw new AkashiError('forbidden', 'the host name is not one of this machine', {
        hint: 'use localhost, 127.0.0.1 or [::1]',
      })
    }
  })
}
