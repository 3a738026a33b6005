import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import files, { type FastifyStaticOptions } from '@fastify/static'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { pluginRoutes } from '../plugin-routes.ts'
import type { App } from '../schema.ts'

/** What `npm run build` makes of the sources in web/. */
const BUILT = fileURLToPath(new URL('../../../web/dist/', import.meta.url))
/** The state of the record: a page without a build, for whoever runs this server. */
const STATUS = fileURLToPath(new URL('../../../web/status/', import.meta.url))
/** Addresses below which the script in the page decides what is shown. */
const pages = ['/', '/sign-in', '/account', '/account/*', '/chat', '/chat/*']
const everybody = { public: 'anybody' } as const
const ASK_EACH_TIME = 'no-cache'
const NOT_FOUND = 404
/** Names of assets carry a hash of what is in them. */
const FOR_EVER = 'public, max-age=31536000, immutable'

/** The pages that people see. */
export function pageRoutes(app: App): void {
  pluginRoutes(app, '/status/*', 'The state of the record, as a page', everybody, (scope) => {
    scope.register(files, {
      ...served(ASK_EACH_TIME),
      root: STATUS,
      prefix: '/status/',
      redirect: true,
      wildcard: false,
      decorateReply: false,
    })
  })
  app.register(files, { ...served(ASK_EACH_TIME), root: BUILT, serve: false, preCompressed: true })
  pluginRoutes(app, '/assets/*', 'What the pages load', everybody, (scope) => {
    if (!existsSync(BUILT)) return
    scope.register(files, {
      ...served(FOR_EVER),
      root: `${BUILT}assets/`,
      prefix: '/assets/',
      preCompressed: true,
      decorateReply: false,
    })
  })
  for (const url of [...pages, '/seal.svg', '/scheme.js']) {
    const schema = { summary: 'The pages that people see', tags: ['pages'], hide: true }
    app.get(url, { config: { access: everybody }, schema }, (_request, reply) => {
      if (!existsSync(BUILT)) {
        throw new AkashiError('unavailable', 'the pages have not been built', { hint: 'npm run build' })
      }
      return reply.sendFile(pages.includes(url) ? 'index.html' : basename(url))
    })
  }
}

type Answering = (request: FastifyRequest, reply: FastifyReply) => unknown

/** Whoever looks for a page that there is not is told so by a page; a program gets what `notFound` answers. */
export function pageOr(notFound: Answering): Answering {
  return (request, reply) => {
    const looks = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')
    if (!looks || !existsSync(BUILT)) return notFound(request, reply)
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
