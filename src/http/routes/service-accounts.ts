import { AkashiError, given } from '../../foundation/index.ts'
import {
  createServiceAccount,
  grantServiceRole,
  listServiceAccounts,
  revokeServiceRole,
  setServiceAccountActive,
} from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Service accounts: callers that are programs, with roles and keys. */
export function serviceAccountRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  operation(app, 'GET /v1/service-accounts', {
    access: { permission: 'api_keys:read' },
    handle: async (request) => ({ accounts: await listServiceAccounts(database, request.actor) }),
  })
  operation(app, 'POST /v1/service-accounts', {
    access: { permission: 'api_keys:write', stepUp: true },
    handle: async (request) => {
      const id = await createServiceAccount(database, request.actor, given(request.body))
      return { id }
    },
  })
  operation(app, 'PATCH /v1/service-accounts/{account}', {
    access: { permission: 'api_keys:write', stepUp: true },
    handle: async (request) => {
      await setServiceAccountActive(database, request.actor, request.params.account, request.body.isActive)
    },
  })
  operation(app, 'PUT /v1/service-accounts/{account}/roles/{role}', {
    access: { permission: ['roles:write', 'api_keys:write'], stepUp: true },
    handle: async (request) => {
      await grantServiceRole(database, request.actor, { ...request.params, ...given(request.body ?? {}) })
    },
  })
  operation(app, 'DELETE /v1/service-accounts/{account}/roles/{role}', {
    access: { permission: ['roles:write', 'api_keys:write'], stepUp: true },
    handle: async (request) => {
      const revoked = await revokeServiceRole(database, request.actor, request.params)
      if (!revoked) throw new AkashiError('not_found', 'the account does not have the role')
    },
  })
}
