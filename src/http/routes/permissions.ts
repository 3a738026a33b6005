import { z } from 'zod'
import { currentPermissions, listPermissions } from '../../identity/index.ts'
import { permissions } from '../contract/access.ts'
import { requirePermission } from '../plugins/authorization.ts'
import { problemResponse } from '../problem.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** What can be permitted, and what the caller may. */
export function permissionRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  app.get(
    '/permissions',
    {
      preHandler: requirePermission(database, 'roles:read'),
      schema: {
        summary: 'Every permission there is',
        tags: ['access'],
        response: { 200: permissions, 401: problemResponse, 403: problemResponse },
      },
    },
    async (request) => ({ permissions: await listPermissions(database, request.actor) }),
  )
  app.get(
    '/permissions/mine',
    {
      schema: {
        summary: 'What the caller may: by their roles, narrowed by an API key',
        tags: ['access'],
        response: { 200: z.object({ permissions: z.array(z.string()) }), 401: problemResponse },
      },
    },
    async (request) => ({
      permissions: await database.transaction(request.actor, currentPermissions, { readOnly: true }),
    }),
  )
}
