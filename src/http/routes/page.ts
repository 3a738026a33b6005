import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import files, { type FastifyStaticOptions } from '@fastify/static'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { pluginRoutes } from '../plugin-routes.ts'
import type { App } from '../schema.ts'

/** The output of `npm run build`. */
const BUILT = fileURLToPath(new URL('../../../web/dist/', import.meta.url))
/** The status page for operators, which needs no build. */
const STATUS = fileURLToPath(new URL('../../../web/status/', import.meta.url))
/** Paths of the single-page application. */
const pages = [
  '/',
  '/sign-in',
  '/account',
  '/account/*',
  '/chat',
  '/chat/*',
  '/console',
  '/console/*',
  '/evidence',
]
/** Files at the root. Those of the service worker and the manifest must be there, since their address is their scope. */
const rootFiles = [
  '/seal.svg',
  '/scheme.js',
  '/service-worker.js',
  '/offline-files.js',
  '/manifest.webmanifest',
  '/icon-192.png',
  '/icon-512.png',
  '/icon-maskable.png',
  '/icon-touch.png',
]
const everybody = { public: 'anybody' } as const
const REVALIDATE = 'no-cache'
const NOT_FOUND = 404
/** The names of assets contain a hash of their content. */
const IMMUTABLE = 'public, max-age=31536000, immutable'

/** The web pages. */
export function pageRoutes(app: App): void {
  pluginRoutes(app, '/status/*', 'Status page', everybody, (scope) => {
    scope.register(files, {
      ...served(REVALIDATE),
      root: STATUS,
      prefix: '/status/',
      redirect: true,
      wildcard: false,
      decorateReply: false,
    })
  })
  app.register(files, { ...served(REVALIDATE), root: BUILT, serve: false, preCompressed: true })
  pluginRoutes(app, '/assets/*', 'Assets of the pages', everybody, (scope) => {
    if (!existsSync(BUILT)) return
    scope.register(files, {
      ...served(IMMUTABLE),
      root: `${BUILT}assets/`,
      prefix: '/assets/',
      preCompressed: true,
      decorateReply: false,
    })
  })
  for (const url of [...pages, ...rootFiles]) {
    const schema = { summary: 'Web pages', tags: ['pages'], hide: true }
    app.get(url, { config: { access: everybody }, schema }, (_request, reply) => {
      if (!existsSync(BUILT)) {
        throw new AkashiError('unavailable', 'the pages have not been built', { hint: 'npm run build' })
      }
      return reply.sendFile(pages.includes(url) ? 'index.html' : basename(url))
    })
  }
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** Shows browsers the application's page for unknown paths; programs get `notFound`. */
export function pageOrNotFound(notFound: Handler): Handler {
  return (request, reply) => {
    const isBrowser = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')
    if (!isBrowser || !existsSync(BUILT)) return notFound(request, reply)
    return reply.code(NOT_FOUND).sendFile('index.html')
  }
}

function served(
  cacheControl: string,
): Pick<FastifyStaticOptions, 'schemaHide' | 'cacheControl' | 'setHeaders'> {
  return {
    schemaHide: true,
    cacheControl: false,
    setHeaders: (reply) => {
      reply.header('cache-control', cacheControl)
      reply.header('vary', 'accept-encoding')
    },
  }
}
