import { fileURLToPath } from 'node:url'
import files from '@fastify/static'
import type { App } from '../schema.ts'

const WEB = fileURLToPath(new URL('../../../web/public/', import.meta.url))

/** One route for each file of the page. The names carry no hash, so a browser asks each time and gets 304. */
export function pageRoutes(app: App): void {
  app.register(files, {
    root: WEB,
    wildcard: false,
    schemaHide: true,
    cacheControl: false,
    setHeaders: (reply) => {
      reply.header('cache-control', 'no-cache')
    },
  })
}
