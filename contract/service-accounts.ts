/** Callers that are programs, with roles and keys of their own: `/v1/service-accounts`. */
import { z } from 'zod'
import { accountName, created, list, newGrant, roleName, tier } from './fields.ts'
import type { OperationTable } from './operation.ts'

const serviceAccount = z.object({
  id: z.string(),
  name: z.string(),
  tier,
  description: z.string().nullable(),
  isActive: z.boolean(),
  roles: list(z.string()),
})
export type ServiceAccount = z.output<typeof serviceAccount>

const byAccount = z.strictObject({ account: accountName })
const byAccountAndRole = byAccount.extend({ role: roleName })

export const serviceAccountOperations = {
  'GET /v1/service-accounts': {
    summary: 'Every service account',
    response: z.object({ accounts: list(serviceAccount) }),
  },
  'POST /v1/service-accounts': {
    summary: 'Create a service account',
    body: z.strictObject({
      name: accountName,
      tier: tier.optional(),
      description: z.string().max(1_000).optional(),
      roles: z.array(roleName).max(100).optional().describe('granted at creation; requires roles:write'),
    }),
    response: created,
    status: 201,
  },
  'PATCH /v1/service-accounts/{account}': {
    summary: 'Suspend an account, so that its keys are refused at once, or reactivate it',
    params: byAccount,
    body: z.strictObject({ isActive: z.boolean() }),
  },
  'PUT /v1/service-accounts/{account}/roles/{role}': {
    summary: 'Grant a role to an account, or change when the grant ends',
    params: byAccountAndRole,
    body: newGrant.optional(),
  },
  'DELETE /v1/service-accounts/{account}/roles/{role}': {
    summary: 'Revoke a role from an account',
    params: byAccountAndRole,
  },
} as const satisfies OperationTable
