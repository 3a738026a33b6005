/** What keeping events costs, in the database or archived: `/v1/cost`. */
import { z } from 'zod'
import { list } from './fields.ts'
import type { OperationTable } from './operation.ts'

const amount = z.number()
const bill = z.object({
  storage: amount,
  minimums: amount.describe('for minimum sizes and durations'),
  requests: amount,
  retrieval: amount,
  scan: amount,
  crawler: amount,
  total: amount,
})

const count = z.number().positive().max(1e15)
const tier = z.strictObject({
  class: z.enum(['standard', 'infrequent', 'instant', 'flexible', 'deep']),
  from: z.int().nonnegative().max(100_000).describe('age in days'),
})
const assumptions = z.strictObject({
  users: count,
  eventsPerUser: count.describe('a day'),
  eventBytes: count,
  years: z.number().positive().max(30),
  hotDays: z.int().positive().max(100_000).describe('age at which events leave the database'),
  tiers: z.array(tier).min(1).max(10),
  retentionDays: z.int().positive().max(100_000).nullable().describe('null: kept'),
  compression: count.describe('bytes in the object store ÷ bytes in the database'),
  objectsPerDay: count,
  scanGb: z.number().nonnegative().max(1e12).describe('a month'),
  retrieveGb: z.number().nonnegative().max(1e12).describe('a month, from the coldest class'),
  crawler: z.boolean(),
})

const month = z.object({
  month: z.int(),
  gb: amount,
  databaseGb: amount,
  keep: amount.describe('dollars of this month, all in the database'),
  archive: bill,
  keepTotal: amount,
  archiveTotal: amount,
})

export const costOperations = {
  'POST /v1/cost': {
    summary: 'Forecast the cost of keeping events: all in the database, or archived',
    body: z.strictObject({
      preset: z
        .enum(['s4', 'akashi'])
        .default('akashi')
        .describe('s4: the plan of the requirements; akashi: the default policies'),
      assumptions: assumptions.partial().optional().describe('instead of those of the preset'),
    }),
    response: z.object({
      assumptions,
      prices: z.object({ region: z.string(), date: z.string() }),
      months: list(month),
      totals: z.object({
        keep: amount,
        archive: bill,
        saving: amount,
        savingPercent: amount,
        savingAfterFees: amount,
        databaseFullOnDay: z.int().nullable(),
      }),
    }),
  },
} as const satisfies OperationTable
