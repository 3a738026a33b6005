import { z } from 'zod'
import { currentPermissions, listPermissions } from '../../identity/index.ts'
import { permissions } from '../contract/access.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** What can be permitted, and what the caller may. */
export function permissionRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  route(app, {
    method: 'GET',
    url: '/permissions',
    access: { permission: 'roles:read' },
    schema: {
      summary: 'Every permission there is',
      tags: ['access'],
      response: { 200: permissions },
    },
    handle: async (request) => ({ permissions: await listPermissions(database, request.actor) }),
  })
  route(app, {
    method: 'GET',
    url: '/permissions/mine',
    access: { signedIn: 'anybody', scope: 'any' },
    schema: {
      summary: 'What the caller may: by their roles, narrowed by an API key',
      tags: ['access'],
      response: { 200: z.object({ permissions: z.array(z.string()) }) },
    },
    handle: async (request) => ({
      permissions: await database.transaction(request.actor, currentPermissions, { readOnly: true }),
    }),
  })
}
