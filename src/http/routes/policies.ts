import { listPolicies, setPolicy } from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Security policies for passwords, sessions, second factors and API keys. */
export function policyRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  operation(app, 'GET /v1/policies', {
    access: { permission: 'auth_config:read' },
    handle: async (request) => ({ policies: await listPolicies(database, request.actor) }),
  })
  operation(app, 'PUT /v1/policies/{key}', {
    access: { permission: 'auth_config:write', stepUp: true },
    handle: (request) => setPolicy(database, request.actor, request.params.key, request.body.value),
  })
  operation(app, 'DELETE /v1/policies/{key}', {
    access: { permission: 'auth_config:write', stepUp: true },
    handle: (request) => setPolicy(database, request.actor, request.params.key),
  })
}
