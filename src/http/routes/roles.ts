import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
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
import { grants, newGrant, newRole, permissionName, roleName, roles } from '../contract/access.ts'
import { route } from '../route.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'

const assignment = z.strictObject({ userId: z.guid(), role: roleName })
const holding = z.strictObject({ role: roleName, permission: permissionName })
const made = z.object({ id: z.string() })

/** Roles, what they hold, and who has them. The database decides; a refusal is recorded. */
export function roleRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  route(app, {
    method: 'GET',
    url: '/roles',
    access: { permission: 'roles:read' },
    schema: {
      summary: 'Every role with its permissions',
      tags: ['access'],
      response: { 200: roles },
    },
    handle: async (request) => ({ roles: await listRoles(database, request.actor) }),
  })
  route(app, {
    method: 'POST',
    url: '/roles',
    access: { permission: 'roles:admin', stepUp: true },
    schema: {
      summary: 'Make a role that holds nothing yet',
      tags: ['access'],
      body: newRole,
      response: { 201: made },
    },
    handle: async (request, reply) => {
      const id = await createRole(database, request.actor, given(request.body))
      return reply.code(201).send({ id })
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/roles/:role',
    access: { permission: 'roles:delete', stepUp: true },
    schema: {
      summary: 'Delete a role and every grant of it',
      tags: ['access'],
      params: z.strictObject({ role: roleName }),
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const deleted = await deleteRole(database, request.actor, request.params.role)
      if (!deleted) throw new AkashiError('not_found', `there is no role ${request.params.role}`)
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'PUT',
    url: '/roles/:role/permissions/:permission',
    access: { permission: 'roles:admin', stepUp: true },
    schema: {
      summary: 'Put a permission into a role',
      tags: ['access'],
      params: holding,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      await grantPermission(database, request.actor, request.params)
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/roles/:role/permissions/:permission',
    access: { permission: 'roles:admin', stepUp: true },
    schema: {
      summary: 'Take a permission out of a role',
      tags: ['access'],
      params: holding,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      await revokePermission(database, request.actor, request.params)
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'GET',
    url: '/users/:userId/roles',
    access: { self: ':userId', others: 'roles:read' },
    schema: {
      summary: 'The roles of a user: one’s own, or with roles:read anybody’s',
      tags: ['access'],
      params: z.strictObject({ userId: z.guid() }),
      response: { 200: grants },
    },
    handle: async (request) => {
      const { userId } = request.params
      return { roles: await rolesOfUser(database, request.actor, userId) }
    },
  })
  route(app, {
    method: 'PUT',
    url: '/users/:userId/roles/:role',
    access: { permission: 'roles:write', stepUp: true },
    schema: {
      summary: 'Give a user a role, or change when it ends',
      tags: ['access'],
      params: assignment,
      body: newGrant.optional(),
      response: { 200: made },
    },
    handle: async (request) => ({
      id: await grantRole(database, request.actor, { ...request.params, ...given(request.body ?? {}) }),
    }),
  })
  route(app, {
    method: 'DELETE',
    url: '/users/:userId/roles/:role',
    access: { permission: 'roles:write', stepUp: true },
    schema: {
      summary: 'Take a role from a user',
      tags: ['access'],
      params: assignment,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const revoked = await revokeRole(database, request.actor, request.params)
      if (!revoked) throw new AkashiError('not_found', 'the user does not have the role')
      return reply.code(204).send()
    },
  })
}
