import { PROBLEM_TYPE, problemDetails } from '@akashi/contract'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifySchema } from 'fastify'
import type { Access } from '../access.ts'
import { pluginRoutes } from '../plugin-routes.ts'
import { type App, openApiSchema } from '../schema.ts'
import { cookieNames } from './session-cookie.ts'

/** The OpenAPI document of the routes registered after this, and its page under /docs. */
export function describeApi(app: App, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Akashi', description: 'The security data tier of a PostgreSQL application.', version },
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: cookieNames.session },
          bearer: { type: 'http', scheme: 'bearer', description: 'an API key, or the JWT of a service' },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const { access } = route.config ?? {}
      return { schema: openApiSchema(access === undefined ? schema : describeAccess(schema, access)), url }
    },
  })
  // Without the top bar, which can load documents from elsewhere.
  pluginRoutes(
    app,
    '/docs/*',
    'API reference (Swagger UI)',
    { public: 'this machine', others: 'monitoring:read' },
    (scope) => {
      scope.register(swaggerUi, {
        routePrefix: '/docs',
        theme: { title: 'Akashi API' },
        uiConfig: { layout: 'BaseLayout' },
      })
    },
  )
}

const problemResponse = { content: { [PROBLEM_TYPE]: { schema: problemDetails } } }

/** Adds the accepted credentials and the problem responses that follow from the access and the input. */
function describeAccess(schema: FastifySchema, access: Access): FastifySchema {
  const { params, querystring, body, response } = schema
  const problems = {
    default: problemResponse,
    ...([params, querystring, body].some(Boolean) && { 400: problemResponse }),
    ...(!isOpen(access) && { 401: problemResponse }),
    ...(!('public' in access) && { 403: problemResponse }),
  }
  return { ...schema, security: credentialsOf(access), response: { ...problems, ...(response as object) } }
}

const isOpen = (access: Access) => 'public' in access && access.public === 'anybody'

function credentialsOf(access: Access): Record<string, string[]>[] {
  if (isOpen(access)) return []
  if ('scope' in access && access.scope === 'none') return [{ session: [] }]
  return [...('public' in access ? [{}] : []), { session: [] }, { bearer: [] }]
}
