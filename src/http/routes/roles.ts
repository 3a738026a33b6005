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
import { requireStepUp } from '../plugins/authentication.ts'
import { orRecordDenial, requirePermission } from '../plugins/authorization.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'
import { refusals } from './refusals.ts'

const assignment = z.strictObject({ userId: z.guid(), role: roleName })
const holding = z.strictObject({ role: roleName, permission: permissionName })
const made = z.object({ id: z.string() })

/** Roles, what they hold, and who has them. The database decides; a refusal is recorded. */
export function roleRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  const dangerous = { preHandler: requireStepUp(identity) }
  app.get(
    '/roles',
    {
      preHandler: requirePermission(database, 'roles:read'),
      schema: {
        summary: 'Every role with its permissions',
        tags: ['access'],
        response: { 200: roles, ...refusals },
      },
    },
    async (request) => ({ roles: await listRoles(database, request.actor) }),
  )
  app.post(
    '/roles',
    {
      ...dangerous,
      schema: {
        summary: 'Make a role that holds nothing yet',
        tags: ['access'],
        body: newRole,
        response: { 201: made, ...refusals },
      },
    },
    async (request, reply) => {
      const id = await orRecordDenial(database, request, 'roles:admin', () =>
        createRole(database, request.actor, given(request.body)),
      )
      return reply.code(201).send({ id })
    },
  )
  app.delete(
    '/roles/:role',
    {
      ...dangerous,
      schema: {
        summary: 'Delete a role and every grant of it',
        tags: ['access'],
        params: z.strictObject({ role: roleName }),
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      const deleted = await orRecordDenial(database, request, 'roles:delete', () =>
        deleteRole(database, request.actor, request.params.role),
      )
      if (!deleted) throw new AkashiError('not_found', `there is no role ${request.params.role}`)
      return reply.code(204).send()
    },
  )
  app.put(
    '/roles/:role/permissions/:permission',
    {
      ...dangerous,
      schema: {
        summary: 'Put a permission into a role',
        tags: ['access'],
        params: holding,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await orRecordDenial(database, request, 'roles:admin', () =>
        grantPermission(database, request.actor, request.params),
      )
      return reply.code(204).send()
    },
  )
  app.delete(
    '/roles/:role/permissions/:permission',
    {
      ...dangerous,
      schema: {
        summary: 'Take a permission out of a role',
        tags: ['access'],
        params: holding,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await orRecordDenial(database, request, 'roles:admin', () =>
        revokePermission(database, request.actor, request.params),
      )
      return reply.code(204).send()
    },
  )
  app.get(
    '/users/:userId/roles',
    {
      schema: {
        summary: 'The roles of a user: one’s own, or with roles:read anybody’s',
        tags: ['access'],
        params: z.strictObject({ userId: z.guid() }),
        response: { 200: grants, ...refusals },
      },
    },
    async (request) => {
      const { userId } = request.params
      if (userId !== request.actor.userId) await requirePermission(database, 'roles:read')(request)
      return { roles: await rolesOfUser(database, request.actor, userId) }
    },
  )
  app.put(
    '/users/:userId/roles/:role',
    {
      ...dangerous,
      schema: {
        summary: 'Give a user a role, or change when it ends',
        tags: ['access'],
        params: assignment,
        body: newGrant.optional(),
        response: { 200: made, ...refusals },
      },
    },
    async (request) => ({
      id: await orRecordDenial(database, request, 'roles:write', () =>
        grantRole(database, request.actor, { ...request.params, ...given(request.body ?? {}) }),
      ),
    }),
  )
  app.delete(
    '/users/:userId/roles/:role',
    {
      ...dangerous,
      schema: {
        summary: 'Take a role from a user',
        tags: ['access'],
        params: assignment,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      const revoked = await orRecordDenial(database, request, 'roles:write', () =>
        revokeRole(database, request.actor, request.params),
      )
      if (!revoked) throw new AkashiError('not_found', 'the user does not have the role')
      return reply.code(204).send()
    },
  )
}
