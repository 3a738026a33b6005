import { currentPermissions, listPermissions } from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** All permissions, and those of the caller. */
export function permissionRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  operation(app, 'GET /v1/permissions', {
    access: { permission: 'roles:read' },
    handle: async (request) => ({ permissions: await listPermissions(database, request.actor) }),
  })
  operation(app, 'GET /v1/permissions/mine', {
    access: { signedIn: 'anybody', scope: 'any' },
    handle: async (request) => ({
      permissions: await database.transaction(request.actor, currentPermissions, { readOnly: true }),
    }),
  })
}
