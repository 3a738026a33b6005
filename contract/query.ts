/** SQL over everything that is kept: `/v1/query`. */
import { z } from 'zod'
import { byId, created, list, reason, text, time } from './fields.ts'
import { DEFAULT_QUERY_SECONDS, MAX_QUERY_ROWS, MAX_QUERY_SECONDS, MAX_SQL_CHARACTERS } from './limits.ts'
import type { OperationTable } from './operation.ts'

const result = z.object({
  columns: list(z.string()),
  types: list(z.string()).describe('types of DuckDB'),
  rows: list(list(z.unknown())),
  files: list(z.string()).describe('archived objects that were read'),
  hot: z.int().describe('rows that came from PostgreSQL'),
  truncated: z.boolean().describe('there are more rows than requested'),
})

const savedQuery = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  sql: z.string(),
  shared: z.boolean(),
  own: z.boolean().describe('false: shared by somebody else'),
  updatedAt: time,
})
export type SavedQuery = z.output<typeof savedQuery>

const kept = z.strictObject({
  name: text(100),
  description: text(1_000).nullable().default(null),
  sql: text(MAX_SQL_CHARACTERS),
  shared: z.boolean().default(false).describe('visible to everybody who may run queries'),
})
export type NewSavedQuery = z.output<typeof kept>

export const queryOperations = {
  'GET /v1/query/saved': {
    summary: 'Your own saved queries, and those shared by others',
    response: z.object({ queries: list(savedQuery) }),
  },
  'POST /v1/query/saved': { summary: 'Save a query', body: kept, response: created, status: 201 },
  'PUT /v1/query/saved/{id}': { summary: 'Change one of your own saved queries', params: byId, body: kept },
  'DELETE /v1/query/saved/{id}': { summary: 'Delete one of your own saved queries', params: byId },
  'POST /v1/query': {
    summary: 'Run an SQL query over rows in PostgreSQL and in the archive',
    description:
      'The query is cancelled when the caller disconnects. After a 409 with frozen objects, POST /v1/query/thaw requests them; repeat the query later.',
    body: z.strictObject({
      sql: z
        .string()
        .min(1)
        .max(MAX_SQL_CHARACTERS)
        .describe('one SELECT; tables are named as in PostgreSQL'),
      rows: z.int().positive().max(MAX_QUERY_ROWS).optional().describe('at most; default 10,000'),
      seconds: z
        .number()
        .positive()
        .max(MAX_QUERY_SECONDS)
        .default(DEFAULT_QUERY_SECONDS)
        .describe('time limit'),
      reason: reason.optional().describe('recorded in the audit trail'),
      format: z.enum(['json', 'csv', 'parquet']).default('json'),
    }),
    response: result.or(z.unknown().describe('CSV or Parquet')),
  },
  'POST /v1/query/thaw': {
    summary: 'Request that frozen objects be thawed',
    body: z.strictObject({
      objects: z
        .array(z.string().regex(/^archive\//))
        .min(1)
        .max(1_000),
    }),
    response: z.object({ thawing: list(z.string()) }),
    status: 202,
  },
} as const satisfies OperationTable
