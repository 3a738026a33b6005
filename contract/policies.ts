/** What is demanded of passwords, sessions, second factors and keys: `/v1/policies`. */
import { z } from 'zod'
import { list, time } from './fields.ts'
import type { OperationTable } from './operation.ts'

const value = z.union([
  z.boolean(),
  z.int(),
  z.string().max(255),
  z.array(z.string().max(255)).max(100).readonly(),
])

const policy = z.object({
  key: z.string(),
  category: z.string(),
  value,
  defaultValue: value,
  valueType: z.enum(['boolean', 'integer', 'text', 'text[]']),
  minimum: z.number().nullable(),
  maximum: z.number().nullable(),
  allowed: list(z.string()).nullable(),
  unit: z.string().nullable(),
  description: z.string(),
  updatedAt: time,
  lastModifiedBy: z.string().nullable(),
})
export type SecurityPolicy = z.output<typeof policy>

const byKey = z.strictObject({ key: z.string().max(100) })

export const policyOperations = {
  'GET /v1/policies': {
    summary: 'Every security policy',
    response: z.object({ policies: list(policy) }),
  },
  'PUT /v1/policies/{key}': {
    summary: 'Change a policy',
    params: byKey,
    body: z.strictObject({ value }),
    response: policy,
  },
  'DELETE /v1/policies/{key}': {
    summary: 'Reset a policy to its default',
    params: byKey,
    response: policy,
  },
} as const satisfies OperationTable
