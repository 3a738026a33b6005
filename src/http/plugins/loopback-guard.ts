import { AkashiError, isLoopbackAddress, isLoopbackHost } from '../../foundation/index.ts'
import type { App } from '../schema.ts'

/**
 * Without a public URL, serves only this machine; with one, everybody who uses its host name. Other Host headers
 * are refused, because a foreign page can reach a local server by a name that resolves to 127.0.0.1 (DNS
 * rebinding).
 */
export function serveKnownHosts(app: App, publicUrl: string | undefined): void {
  const publicHost = publicUrl === undefined ? undefined : new URL(publicUrl).host
  app.addHook('onRequest', async (request) => {
    const host = request.headers.host?.toLowerCase()
    if (publicHost !== undefined && host === publicHost) return
    if (!isLoopbackAddress(request.socket.remoteAddress)) {
      throw new AkashiError('forbidden', 'this host name is served only to this machine', {
        hint: 'connect from the machine itself, or use the host name of the setting publicUrl',
      })
    }
    if (!isLoopbackHost(host)) {
      throw new AkashiError('forbidden', 'the host name is not one of this server', {
        hint: 'use localhost, 127.0.0.1 or [::1]',
      })
    }
  })
}
