/** The comparison of the trail with the write-ahead log: `/v1/crosscheck`. */
import { z } from 'zod'
import { id, list, pageSize, time } from './fields.ts'
import type { OperationTable } from './operation.ts'

const count = z.number().int().nonnegative()
const lsn = z.string().nullable().describe('position in the write-ahead log, such as 0/16B3748')
const settled = {
  settledAt: time.nullable(),
  settledBy: z.string().nullable(),
  explanation: z.string().nullable(),
}

const status = z.object({
  state: z
    .enum(['running', 'stopped', 'off'])
    .describe(
      'stopped: no process reads the slot, and WAL is waiting; off: nothing is compared, see the gaps',
    ),
  comparedLsn: lsn,
  comparedAt: time.nullable(),
  lagBytes: count.nullable().describe('WAL that is written and not compared'),
  transactions: count.describe('compared since the cross-check started'),
  changes: count,
  discrepancies: count.describe('unsettled'),
  gaps: count.describe('unsettled'),
})

const discrepancy = z.object({
  id: z.string(),
  foundAt: time,
  kind: z.enum(['unrecorded', 'unmatched', 'different', 'trail_changed', 'state', 'unwatched']),
  xid: z.string().nullable().describe('the transaction, 32 bits, a decimal'),
  commitLsn: lsn,
  committedAt: time.nullable(),
  table: z.string().nullable().describe('schema.table'),
  operation: z.string().nullable(),
  recordId: z.string().nullable(),
  login: z.string().describe('unknown if it cannot be determined'),
  detail: z.string(),
  ...settled,
})

const gap = z.object({
  id: z.string(),
  startedAt: time,
  endedAt: time.nullable().describe('null while it lasts'),
  cause: z.enum([
    'off',
    'no_logical_wal',
    'slot_lost',
    'wal_given_up',
    'moved',
    'too_large',
    'publication_altered',
    'state_altered',
  ]),
  startLsn: lsn,
  endLsn: lsn,
  detail: z.string(),
  ...settled,
})

const listed = z.object({
  all: z.stringbool().default(false).describe('include settled ones'),
  limit: pageSize,
})

export const crosscheckOperations = {
  'GET /v1/crosscheck': {
    summary: 'How far the write-ahead log is compared with the trail',
    response: status,
  },
  'GET /v1/crosscheck/discrepancies': {
    summary: 'Where the trail, the tables and the write-ahead log disagree, newest first',
    query: listed,
    response: z.object({ rows: list(discrepancy) }),
  },
  'GET /v1/crosscheck/gaps': {
    summary: 'Ranges of the write-ahead log that were not compared, newest first',
    query: listed,
    response: z.object({ rows: list(gap) }),
  },
  'POST /v1/crosscheck/settle': {
    summary: 'Settle discrepancies and ended gaps with an explanation; they stay on record',
    body: z.strictObject({
      ids: z.array(id).min(1).max(1_000),
      explanation: z.string().min(1).max(1_000),
    }),
    response: z.object({ settled: count }),
  },
} as const satisfies OperationTable
