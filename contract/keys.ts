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
  limitDays: z.number().nullable().describe('age at which a job rotates it; null: never by itself'),
})

export const keyOperations = {
  'GET /v1/keys': {
    summary: 'The keys of the service, and how many persons have one',
    response: z.object({
      keys: list(key),
      rotating: list(z.string()).describe('purposes whose rotation was begun and not completed'),
      persons: z.object({ keys: z.int(), destroyed: z.int().describe('of persons who were erased') }),
    }),
  },
  'POST /v1/keys/rotations': {
    summary: 'Replace a key of the service, or complete a rotation that was interrupted',
    body: z.strictObject({
      purpose: z.enum(rotatablePurposes),
      reason: text(1_000).describe('recorded; one line'),
    }),
    response: z.object({
      purpose: z.enum(rotatablePurposes),
      keyId: z.string().describe('the key that is used from now on'),
      resumed: z.boolean().describe('it completed a rotation that was interrupted'),
      rewrapped: z.int().nullable(),
      reindexed: z.int().nullable(),
      conflicts: list(z.string()).describe(
        'users who share an address; the rotation completes when it is changed',
      ),
    }),
  },
} as const satisfies OperationTable
