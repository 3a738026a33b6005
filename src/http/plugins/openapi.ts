import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { type App, openApiSchema } from '../schema.ts'
import { cookieNames } from './session-cookie.ts'

/** The OpenAPI document of the routes that are registered after this, and its page under /docs. */
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
      security: [{ session: [] }, { bearer: [] }],
    },
    transform: ({ schema, url }) => ({ schema: openApiSchema(schema), url }),
  })
  // Without the top bar, which would offer to load documents from elsewhere.
  app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Akashi API' },
    uiConfig: { layout: 'BaseLayout' },
  })
}
