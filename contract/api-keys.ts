/** Keys of programs: `/v1/api-keys`. */
import { z } from 'zod'
import { accountName, byId, list, moment, name, permissionName, reason, tier, time } from './fields.ts'
import type { OperationTable } from './operation.ts'

const apiKey = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string().describe('identifies the key; not a secret'),
  serviceName: z.string(),
  tier,
  scopes: list(z.string()),
  userId: z.string().nullable(),
  serviceAccountId: z.string().nullable(),
  replaces: z.string().nullable().describe('the key that this one replaced'),
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable().describe('up to a minute late'),
  isActive: z.boolean(),
  createdAt: time,
})
export type ApiKey = z.output<typeof apiKey>

const issuedKey = z.object({
  id: z.string(),
  prefix: z.string(),
  key: z.string().describe('shown only once'),
})
export type IssuedKey = z.output<typeof issuedKey>

export const apiKeyOperations = {
  'GET /v1/api-keys': {
    summary: 'Your own keys; with api_keys:read everybody’s',
    response: z.object({ keys: list(apiKey) }),
  },
  'POST /v1/api-keys': {
    summary: 'Create a key for yourself or for a service account',
    body: z.strictObject({
      name,
      scopes: z
        .array(permissionName)
        .max(200)
        .optional()
        .describe('within the permissions of the owner and the caller'),
      serviceAccount: accountName.optional().describe('the owner; by default the caller'),
      tier: tier.optional(),
      serviceName: name.optional(),
      expiresAt: moment.optional(),
      environment: z
        .string()
        .regex(/^[a-z]{2,10}$/)
        .optional()
        .describe('part of the key text'),
    }),
    response: issuedKey,
    status: 201,
  },
  'POST /v1/api-keys/{id}/rotate': {
    summary: 'Issue the successor of a key; the old one keeps working for a while',
    params: byId,
    body: z
      .strictObject({
        overlapSeconds: z.int().min(0).optional().describe('how long the old key keeps working'),
      })
      .optional(),
    response: issuedKey,
    status: 201,
  },
  'DELETE /v1/api-keys/{id}': {
    summary: 'Revoke a key, effective at once',
    params: byId,
    query: z.strictObject({ reason: reason.optional() }),
  },
} as const satisfies OperationTable
