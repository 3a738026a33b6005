import { z } from 'zod'
import { recordAsOf, recordHistory, searchTrail } from '../../audit/index.ts'
import { route } from '../route.ts'
import { type App, given } from '../schema.ts'
import type { Services } from '../services.ts'

const text = z.string().optional()
/** Numbers of a query are text; what is no number stays, and the trail says so. */
const limit = z.coerce.number().optional()

const searchQuery = z.strictObject({
  schema: text,
  table: text,
  recordId: text,
  userId: text,
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
  classification: z.enum(['public', 'internal', 'confidential', 'restricted']).optional(),
  dataSubject: text,
  text: text.describe('looked for in values; needs a table or from beside it'),
  cursor: text.describe('next of the page before'),
  limit,
})

const record = z.strictObject({ schema: z.string(), table: z.string(), recordId: z.string() })
const row = z.record(z.string(), z.unknown())
export const page = z.object({
  rows: z.array(row),
  next: z.string().nullable().describe('cursor of the next page; null when this is the last'),
})

/** The audit trail: what happened, what became of a record, how it was. */
export function auditRoutes(app: App, { trail }: Services): void {
  route(app, {
    method: 'GET',
    url: '/audit/logs',
    access: { permission: 'audit_logs:read' },
    schema: {
      summary: 'Rows of the audit trail, newest first',
      tags: ['audit'],
      querystring: searchQuery,
      response: { 200: page },
    },
    handle: async (request) => {
      const { rows, next } = await searchTrail(trail, request.actor, given(request.query))
      return { rows: rows.map((found) => ({ ...found })), next }
    },
  })
  route(app, {
    method: 'GET',
    url: '/audit/records/:schema/:table/:recordId',
    access: { permission: 'audit_logs:read' },
    schema: {
      summary: 'What became of one record, oldest first',
      tags: ['audit'],
      params: record,
      querystring: z.strictObject({ cursor: text, limit }),
      response: { 200: page },
    },
    handle: async (request) => {
      const { rows, next } = await recordHistory(trail, request.actor, {
        ...request.params,
        ...given(request.query),
      })
      return { rows: rows.map((found) => ({ ...found })), next }
    },
  })
  route(app, {
    method: 'GET',
    url: '/audit/records/:schema/:table/:recordId/as-of/:at',
    access: { permission: 'audit_logs:read' },
    schema: {
      summary: 'How one record was at a time',
      tags: ['audit'],
      params: record.extend({ at: z.string() }),
      response: { 200: row },
    },
    handle: async (request) => ({ ...(await recordAsOf(trail, request.actor, request.params)) }),
  })
}
