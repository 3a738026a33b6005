import helmet from '@fastify/helmet'
import type { App } from '../schema.ts'

const HSTS_S = 365 * 24 * 60 * 60
const self = ["'self'"]
const none = ["'none'"]

/**
 * Nothing inline, nothing from other origins, no frames. `data:` images are the icons in Swagger UI's style
 * sheet, `blob:` images are previews of files that the user is about to send.
 */
export function setSecurityHeaders(app: App): void {
  app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: none,
        scriptSrc: self,
        styleSrc: self,
        imgSrc: [...self, 'data:', 'blob:'],
        fontSrc: self,
        connectSrc: self,
        workerSrc: self,
        manifestSrc: self,
        baseUri: none,
        formAction: none,
        frameAncestors: none,
      },
    },
    frameguard: { action: 'deny' },
    strictTransportSecurity: { maxAge: HSTS_S, includeSubDomains: false },
  })
}
