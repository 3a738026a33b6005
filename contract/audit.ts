/** The audit trail: what happened, the history of a record, how it was: `/v1/audit`. */
import { z } from 'zod'
import { classification, json, rowPage } from './fields.ts'
import type { OperationTable } from './operation.ts'

const text = z.string().optional()
const limit = z.coerce.number<number>().optional()
const byRecord = z.strictObject({ schema: z.string(), table: z.string(), recordId: z.string() })

export const auditOperations = {
  'GET /v1/audit/logs': {
    summary: 'Rows of the audit trail, newest first',
    query: z.strictObject({
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
      text: text.describe('searched for in values; needs table or from as well'),
      cursor: text.describe('next of the previous page'),
      limit,
    }),
    response: rowPage,
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
} as const satisfies OperationTable
