/** The keyring: its keys and their ages, and rotation: `/v1/keys`. Never a secret. */
import { z } from 'zod'
import { list, text, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { rotatablePurposes } from './vocabulary.ts'

const key = z.object({
  id: z.string(),
  purpose: z.string(),
  algorithm: z.string(),
  createdAt: time,
  state: z.enum(['active', 'retired']).describe('retired keys verify and decrypt'),
  ageDays: z.number(),
  limitDays: z.number().nullable().describe('age at which a job rotates it; null: never automatically'),
})

export const keyOperations = {
  'GET /v1/keys': {
    summary: 'The service keys, and the number of people with a key',
    response: z.object({
      keys: list(key),
      rotating: list(z.string()).describe('purposes whose rotation was started but not completed'),
      persons: z.object({ keys: z.int(), destroyed: z.int().describe('of people who were erased') }),
    }),
  },
  'POST /v1/keys/rotations': {
    summary: 'Replace a service key, or complete an interrupted rotation',
    body: z.strictObject({
      purpose: z.enum(rotatablePurposes),
      reason: text(1_000).describe('recorded; one line'),
    }),
    response: z.object({
      purpose: z.enum(rotatablePurposes),
      keyId: z.string().describe('the key that is used from now on'),
      resumed: z.boolean().describe('it completed an interrupted rotation'),
      rewrapped: z.int().nullable(),
      reindexed: z.int().nullable(),
      conflicts: list(z.string()).describe('users who share an address; change it to complete the rotation'),
    }),
  },
} as const satisfies OperationTable
