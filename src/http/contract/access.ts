/** Who may do what: `/v1/roles`, `/v1/permissions`, `/v1/api-keys`, `/v1/service-accounts`, `/v1/policies`. */
import { z } from 'zod'
import { name, time } from './common.ts'

export const tier = z.enum(['system', 'business', 'service'])
export const permissionName = z
  .templateLiteral([z.string().regex(/^[a-z][a-z0-9_]*$/), ':', z.enum(['read', 'write', 'delete', 'admin'])])
  .describe('resource:action')
export const roleName = z
  .string()
  .max(100)
  .regex(/^[a-z][a-z0-9_]*$/, 'lowercase letters, digits and underscores')
export const accountName = z
  .string()
  .max(255)
  .regex(/^[a-z][a-z0-9_.-]*$/, 'lowercase letters, digits, dots, dashes and underscores')

export const roles = z.object({
  roles: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        tier,
        description: z.string().nullable(),
        permissions: z.array(z.string()).readonly(),
      }),
    )
    .readonly(),
})
export type Roles = z.infer<typeof roles>

export const permissions = z.object({
  permissions: z
    .array(
      z.object({
        id: z.string(),
        resource: z.string(),
        action: z.enum(['read', 'write', 'delete', 'admin']),
        tier: tier.describe('the lowest tier of a role that may hold it'),
        description: z.string().nullable(),
      }),
    )
    .readonly(),
})
export type Permissions = z.infer<typeof permissions>

export const newRole = z.strictObject({
  name: roleName,
  tier,
  description: z.string().max(1_000).optional(),
})

export const grants = z.object({
  roles: z
    .array(
      z.object({
        role: z.string(),
        tier,
        assignedBy: z.string().nullable(),
        assignedAt: time,
        expiresAt: time.nullable().describe('null is for good'),
        inForce: z.boolean(),
      }),
    )
    .readonly(),
})
export type Grants = z.infer<typeof grants>

const moment = z.iso.datetime({ offset: true }).transform((value) => new Date(value))

export const newGrant = z.strictObject({ expiresAt: moment.optional() })

export const apiKeys = z.object({
  keys: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        prefix: z.string().describe('says which key it is, opens nothing'),
        serviceName: z.string(),
        tier,
        scopes: z.array(z.string()).readonly(),
        userId: z.string().nullable(),
        serviceAccountId: z.string().nullable(),
        replaces: z.string().nullable().describe('the key that this one succeeded'),
        expiresAt: time.nullable(),
        lastUsedAt: time.nullable().describe('up to a minute late'),
        isActive: z.boolean(),
        createdAt: time,
      }),
    )
    .readonly(),
})
export type ApiKeys = z.infer<typeof apiKeys>

export const newApiKey = z.strictObject({
  name,
  scopes: z.array(permissionName).max(200).optional().describe('within what the owner and the caller may'),
  serviceAccount: accountName.optional().describe('the owner; oneself without it'),
  tier: tier.optional(),
  serviceName: name.optional(),
  expiresAt: moment.optional(),
  environment: z
    .string()
    .regex(/^[a-z]{2,10}$/)
    .optional()
    .describe('becomes a part of the key'),
})

export const rotation = z.strictObject({
  overlapSeconds: z.int().min(0).optional().describe('how long the old key still works'),
})

export const issuedKey = z.object({
  id: z.string(),
  prefix: z.string(),
  key: z.string().describe('shown this once'),
})
export type IssuedApiKey = z.infer<typeof issuedKey>

export const serviceAccounts = z.object({
  accounts: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        tier,
        description: z.string().nullable(),
        isActive: z.boolean(),
        roles: z.array(z.string()).readonly(),
      }),
    )
    .readonly(),
})
export type ServiceAccounts = z.infer<typeof serviceAccounts>

export const newServiceAccount = z.strictObject({
  name: accountName,
  tier: tier.optional(),
  description: z.string().max(1_000).optional(),
})

const policyValue = z.union([
  z.boolean(),
  z.int(),
  z.string().max(255),
  z.array(z.string().max(255)).max(100).readonly(),
])

export const policy = z.object({
  key: z.string(),
  category: z.string(),
  value: policyValue,
  defaultValue: policyValue,
  valueType: z.enum(['boolean', 'integer', 'text', 'text[]']),
  minimum: z.number().nullable(),
  maximum: z.number().nullable(),
  allowed: z.array(z.string()).readonly().nullable(),
  unit: z.string().nullable(),
  description: z.string(),
  updatedAt: time,
  lastModifiedBy: z.string().nullable(),
})
export const policies = z.object({ policies: z.array(policy).readonly() })
export type Policies = z.infer<typeof policies>

export const policyChange = z.strictObject({ value: policyValue })
