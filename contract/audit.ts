/** The audit trail: what happened, the history of a record, how it was: `/v1/audit`. */
import { z } from 'zod'
import { classification, json, list, reason, rowPage, time, text as words } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { timelineIntervals } from './vocabulary.ts'

const text = z.string().optional()
const limit = z.coerce.number<number>().optional()
const byRecord = z.strictObject({ schema: z.string(), table: z.string(), recordId: z.string() })

const tableName = z
  .string()
  .max(255)
  .regex(/^[^.]+[.][^.]+$/, 'schema.table')
const byTable = z.strictObject({ table: tableName })
const identifier = words(63)

const coverage = z.object({
  table: z.string().describe('schema.table, quoted as in SQL where necessary'),
  state: z.enum(['protected', 'exempt', 'gap']),
  classification: classification.nullable(),
  reason: z.string().nullable().describe('why it is exempt'),
})

const loss = z.object({
  table: z.string(),
  operation: z.string(),
  statements: z.int(),
  rows: z.number().describe('as far as known'),
  firstAt: time,
  lastAt: time,
  sqlstate: z.string(),
  message: z.string().describe('of the last one'),
})
const conditions = {
  schema: text,
  table: text,
  recordId: text,
  userId: text,
  sessionId: text,
  address: text.describe('an IP address or a network, such as 192.0.2.0/24'),
  resource: text,
  resourceId: text,
  requestId: text,
  traceId: text,
  correlationId: text,
  from: text.describe('rows at or after this time, ISO 8601 with an offset'),
  to: text.describe('rows before this time'),
  action: text,
  operation: z.enum(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']).optional(),
  eventType: text,
  result: text,
  tenantId: text,
  classification: classification.optional(),
  dataSubject: text,
}

/** By what the counts of the trail are broken down. */
export const trailFacets = ['table', 'operation', 'eventType', 'action', 'result', 'userId'] as const

const count = z.int()
const trailCounts = z.object({
  total: count,
  complete: z.boolean().describe('false: only the newest rows of the period are counted'),
  buckets: list(z.object({ at: time.describe('where the interval begins'), count })),
  facets: list(
    z.object({
      name: z.enum(trailFacets),
      values: list(z.object({ value: z.string(), count })).describe('those with most rows first'),
    }),
  ),
})
export type TrailCounts = z.output<typeof trailCounts>

export const auditOperations = {
  'GET /v1/audit/logs': {
    summary: 'Rows of the audit trail, newest first',
    query: z.strictObject({
      ...conditions,
      text: text.describe('searched for in values; requires table or from'),
      cursor: text.describe('next of the previous page'),
      limit,
    }),
    response: rowPage,
  },
  'GET /v1/audit/counts': {
    summary: 'The number of rows of the audit trail in each interval, and by value',
    query: z.strictObject({
      ...conditions,
      from: z.string().describe('where the first interval begins'),
      to: z.string(),
      interval: z.enum(timelineIntervals),
    }),
    response: trailCounts,
  },
  'GET /v1/audit/records/{schema}/{table}/{recordId}': {
    summary: 'The history of one record, oldest first',
    params: byRecord,
    query: z.strictObject({ cursor: text, limit }),
    response: rowPage,
  },
  'GET /v1/audit/records/{schema}/{table}/{recordId}/as-of/{at}': {
    summary: 'One record at a given time',
    params: byRecord.extend({ at: z.string() }),
    response: json,
  },
  'GET /v1/audit/coverage': {
    summary: 'Every table: protected, exempt, or a gap; gaps first',
    response: z.object({ tables: list(coverage) }),
  },
  'PUT /v1/audit/protections/{table}': {
    summary: 'Put a table under audit, or change how it is audited',
    params: byTable,
    body: z.strictObject({
      classification: classification.default('internal'),
      subject: identifier.optional().describe('column with the id of the person that a row is about'),
      digest: z.array(identifier).max(100).default([]).describe('columns recorded as salted digests'),
      omit: z.array(identifier).max(100).default([]).describe('columns never recorded'),
      ignore: z.array(identifier).max(100).default([]).describe('columns whose change alone is not recorded'),
      onFailure: z
        .enum(['fail', 'record_loss'])
        .default('fail')
        .describe('when a change cannot be recorded: fail, or make it and count the loss'),
      reason,
    }),
  },
  'PUT /v1/audit/exemptions/{table}': {
    summary: 'Exempt a table from audit, with a reason',
    params: byTable,
    body: z.strictObject({ reason: words(1_000) }),
  },
  'POST /v1/audit/protections/{table}/end': {
    summary: 'Stop auditing a table; its trail stays',
    params: byTable,
    body: z.strictObject({ reason }),
  },
  'GET /v1/audit/losses': {
    summary: 'Changes that were made without an audit row and are not settled',
    response: z.object({ losses: list(loss) }),
  },
  'POST /v1/audit/losses/settle': {
    summary: 'Settle the current losses with an explanation; they stay on record',
    body: z.strictObject({ explanation: words(1_000) }),
    response: z.object({ settled: z.int() }),
  },
} as const satisfies OperationTable
