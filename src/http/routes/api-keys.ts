import { AkashiError, given } from '../../foundation/index.ts'
import { createApiKey, listApiKeys, revokeApiKey, rotateApiKey } from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** API keys: one's own, and with a permission those of others. A key is shown only once. */
export function apiKeyRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  operation(app, 'GET /v1/api-keys', {
    access: { self: 'caller', others: 'api_keys:read', reads: 'api_key' },
    handle: async (request) => ({ keys: await listApiKeys(database, request.actor) }),
  })
  operation(app, 'POST /v1/api-keys', {
    access: { self: 'caller', others: 'api_keys:write', stepUp: true },
    handle: async (request) => {
      return await createApiKey(database, request.actor, given(request.body))
    },
  })
  operation(app, 'POST /v1/api-keys/{id}/rotate', {
    access: { self: 'caller', others: 'api_keys:write', stepUp: true },
    handle: async (request) => {
      return await rotateApiKey(database, request.actor, request.params.id, given(request.body ?? {}))
    },
  })
  operation(app, 'DELETE /v1/api-keys/{id}', {
    access: { self: 'caller', others: 'api_keys:delete' },
    handle: async (request) => {
      const revoked = await revokeApiKey(database, request.actor, request.params.id, request.query.reason)
      if (!revoked) throw new AkashiError('not_found', 'the key is already revoked or expired')
    },
  })
}
