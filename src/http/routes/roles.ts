import { AkashiError, given } from '../../foundation/index.ts'
import {
  createRole,
  deleteRole,
  grantPermission,
  grantRole,
  listRoles,
  revokePermission,
  revokeRole,
  rolesOfUser,
} from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Roles, their permissions and grants. The database decides; denials are recorded. */
export function roleRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  operation(app, 'GET /v1/roles', {
    access: { permission: 'roles:read' },
    handle: async (request) => ({ roles: await listRoles(database, request.actor) }),
  })
  operation(app, 'POST /v1/roles', {
    access: { permission: 'roles:admin', stepUp: true },
    handle: async (request) => {
      const id = await createRole(database, request.actor, given(request.body))
      return { id }
    },
  })
  operation(app, 'DELETE /v1/roles/{role}', {
    access: { permission: 'roles:delete', stepUp: true },
    handle: async (request) => {
      const deleted = await deleteRole(database, request.actor, request.params.role)
      if (!deleted) throw new AkashiError('not_found', `role not found: ${request.params.role}`)
    },
  })
  operation(app, 'PUT /v1/roles/{role}/permissions/{permission}', {
    access: { permission: 'roles:admin', stepUp: true },
    handle: async (request) => {
      await grantPermission(database, request.actor, request.params)
    },
  })
  operation(app, 'DELETE /v1/roles/{role}/permissions/{permission}', {
    access: { permission: 'roles:admin', stepUp: true },
    handle: async (request) => {
      await revokePermission(database, request.actor, request.params)
    },
  })
  operation(app, 'GET /v1/users/{userId}/roles', {
    access: { self: ':userId', others: 'roles:read', reads: 'user_role' },
    handle: async (request) => {
      const { userId } = request.params
      return { roles: await rolesOfUser(database, request.actor, userId) }
    },
  })
  operation(app, 'PUT /v1/users/{userId}/roles/{role}', {
    access: { permission: 'roles:write', stepUp: true },
    handle: async (request) => ({
      id: await grantRole(database, request.actor, { ...request.params, ...given(request.body ?? {}) }),
    }),
  })
  operation(app, 'DELETE /v1/users/{userId}/roles/{role}', {
    access: { permission: 'roles:write', stepUp: true },
    handle: async (request) => {
      const revoked = await revokeRole(database, request.actor, request.params)
      if (!revoked) throw new AkashiError('not_found', 'the user does not have the role')
    },
  })
}
