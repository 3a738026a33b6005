import type {
  FastifyBaseLogger,
  FastifySchema,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
  RouteGenericInterface,
  RouteHandlerMethod,
} from 'fastify'
import type { Access } from './access.ts'
import type { App, ZodTypes } from './schema.ts'

interface Route<Schema extends FastifySchema> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly access: Access
  readonly schema: Schema
  /** Bytes of the body, where the limit of the server does not fit. */
  readonly bodyLimit?: number
  /** Milliseconds, where the limit of the server does not fit. */
  readonly handlerTimeout?: number
  readonly handle: RouteHandlerMethod<
    RawServerDefault,
    RawRequestDefaultExpression,
    RawReplyDefaultExpression,
    RouteGenericInterface,
    unknown,
    Schema,
    ZodTypes,
    FastifyBaseLogger
  >
}

/** Adds a route. Its schema types the request that `handle` takes and the body that it returns. */
export function route<const Schema extends FastifySchema>(
  app: App,
  { access, handle, ...options }: Route<Schema>,
): void {
  app.route({ ...options, config: { access }, handler: handle })
}

/** Lets a plugin add routes below `url`; all of them have this access. */
export function pluginRoutes(
  app: App,
  url: `${string}*`,
  summary: string,
  access: Access,
  add: (scope: App) => void,
): void {
  app.register((scope: App, _, done) => {
    app.accessTable.push({ method: 'GET', url, access, schema: { summary, tags: ['pages'] } })
    scope.decorate<Access>('accessOfPlugin', access)
    add(scope)
    done()
  })
}
