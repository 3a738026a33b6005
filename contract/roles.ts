/** Who may do what: `/v1/roles`, `/v1/permissions`, and the roles of users. */
import { z } from 'zod'
import { created, list, newGrant, permissionName, roleName, tier, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { actions } from './vocabulary.ts'

export { permissionName }

const role = z.object({
  id: z.string(),
  name: z.string(),
  tier,
  description: z.string().nullable(),
  permissions: list(z.string()),
})
export type Role = z.output<typeof role>

const permission = z.object({
  id: z.string(),
  resource: z.string(),
  action: z.enum(actions),
  tier: tier.describe('the lowest tier of a role that may hold it'),
  description: z.string().nullable(),
})
export type Permission = z.output<typeof permission>

const grant = z.object({
  role: z.string(),
  tier,
  assignedBy: z.string().nullable(),
  assignedAt: time,
  expiresAt: time.nullable().describe('null: never'),
  inForce: z.boolean(),
})
export type Grant = z.output<typeof grant>

const byUser = z.strictObject({ userId: z.guid() })
const byUserAndRole = byUser.extend({ role: roleName })
const byRole = z.strictObject({ role: roleName })
const byRoleAndPermission = byRole.extend({ permission: permissionName })

export const roleOperations = {
  'GET /v1/roles': {
    summary: 'Every role with its permissions',
    response: z.object({ roles: list(role) }),
  },
  'POST /v1/roles': {
    summary: 'Create a role without permissions',
    body: z.strictObject({ name: roleName, tier, description: z.string().max(1_000).optional() }),
    response: created,
    status: 201,
  },
  'DELETE /v1/roles/{role}': { summary: 'Delete a role and every grant of it', params: byRole },
  'PUT /v1/roles/{role}/permissions/{permission}': {
    summary: 'Add a permission to a role',
    params: byRoleAndPermission,
  },
  'DELETE /v1/roles/{role}/permissions/{permission}': {
    summary: 'Remove a permission from a role',
    params: byRoleAndPermission,
  },
  'GET /v1/users/{userId}/roles': {
    summary: 'The roles of a user: your own, or with roles:read anybody’s',
    params: byUser,
    response: z.object({ roles: list(grant) }),
  },
  'PUT /v1/users/{userId}/roles/{role}': {
    summary: 'Grant a role to a user, or change when the grant ends',
    params: byUserAndRole,
    body: newGrant.optional(),
    response: created,
  },
  'DELETE /v1/users/{userId}/roles/{role}': {
    summary: 'Revoke a role from a user',
    params: byUserAndRole,
  },
  'GET /v1/permissions': {
    summary: 'Every permission',
    response: z.object({ permissions: list(permission) }),
  },
  'GET /v1/permissions/mine': {
    summary: 'The caller’s permissions, limited by the scopes of an API key',
    response: z.object({ permissions: list(z.string()) }),
  },
} as const satisfies OperationTable
