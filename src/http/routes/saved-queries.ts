import { changeSavedQuery, deleteSavedQuery, listSavedQueries, saveQuery } from '../../lifecycle/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Queries that people keep; running one asks for the permissions of what it reads. */
export function savedQueryRoutes(app: App, { app: database }: Services): void {
  const access = { permission: 'query:read', by: 'person' } as const
  operation(app, 'GET /v1/query/saved', {
    access,
    handle: async ({ actor }) => ({ queries: await listSavedQueries(database, actor) }),
  })
  operation(app, 'POST /v1/query/saved', {
    access,
    handle: async ({ actor, body }) => ({ id: await saveQuery(database, actor, body) }),
  })
  operation(app, 'PUT /v1/query/saved/{id}', {
    access,
    handle: ({ actor, params, body }) => changeSavedQuery(database, actor, params.id, body),
  })
  operation(app, 'DELETE /v1/query/saved/{id}', {
    access,
    handle: ({ actor, params }) => deleteSavedQuery(database, actor, params.id),
  })
}
