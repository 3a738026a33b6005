/** The archive: what is in it, what is due, retention policies and legal hold: `/v1/archive`. */
import { z } from 'zod'
import { list, moment, reason, time } from './fields.ts'
import type { OperationTable } from './operation.ts'

const archiveExport = z.object({
  schema: z.string(),
  table: z.string(),
  partition: z.string(),
  from: time,
  to: time,
  generation: z
    .number()
    .describe('0 when the partition closed, then counting exports of rows that arrived later'),
  state: z.enum(['exporting', 'verified', 'superseded', 'detached', 'dropped', 'retiring', 'retired']),
  manifest: z.string().describe('key in the object store'),
  fingerprint: z.string().nullable(),
  rows: z.number().nullable(),
  objects: z.number().nullable(),
  bytes: z.number().nullable(),
  verifiedAt: time.nullable(),
  droppedAt: time.nullable(),
  restoredAt: time.nullable(),
  retiredAt: time.nullable(),
  keepUntil: time.nullable(),
  message: z.string().nullable().describe('why the last attempt failed'),
})

const planRow = z.object({
  table: z.string(),
  partition: z.string(),
  action: z.enum(['export', 'drop', 'held', 'reattach', 'copy', 'retire']),
  rows: z.number(),
  exported: z.boolean(),
  dropped: z.boolean(),
  object: z.string().nullable(),
  message: z.string(),
})

const frozenObject = z.object({
  object: z.string(),
  bytes: z.number(),
  state: z.enum(['frozen', 'thawing']),
})

const interval = z.enum(['day', 'month'])
const atExpiry = z.enum(['archive', 'retire', 'keep'])
const format = z.enum(['parquet', 'parquet+csv'])

const policy = z.object({
  table: z.string(),
  interval,
  ahead: z.int().describe('partitions that exist ahead of the current one'),
  hot: z.string().describe('how long rows stay in PostgreSQL, ISO 8601'),
  atExpiry: atExpiry.describe(
    'what happens then: export and drop; drop with a signed retention record; nothing',
  ),
  total: z.string().describe('how long rows are kept in total, ISO 8601; unless atExpiry is keep'),
  lateness: z.string().describe('how long after its end a partition is exported'),
  format,
  appendOnly: z.boolean(),
  legalHold: z.boolean(),
  shortening: z
    .object({
      total: z.string(),
      atExpiry,
      requestedBy: z.string(),
      requestedAt: time,
      effectiveAt: time,
      reason: z.string().nullable(),
    })
    .nullable()
    .describe('a shorter retention of a log that was requested and is not in effect yet'),
  changedAt: time,
  changedBy: z.string().nullable(),
})
export type RetentionPolicy = z.output<typeof policy>

const duration = z.string().min(1).max(100)
const policyChange = z.strictObject({
  interval: interval.optional().describe('only for a table that has no policy yet'),
  ahead: z.int().positive().max(1_200).optional().describe('at least 8 days or 2 months'),
  hot: duration.optional().describe('such as 90 days'),
  atExpiry: atExpiry.optional(),
  total: duration.optional().describe('such as 2555 days'),
  lateness: duration.optional(),
  format: format.optional(),
  reason: reason.describe('recorded in the audit trail'),
})

const partition = z.object({
  table: z.string(),
  partition: z.string(),
  from: time.nullable().describe('null: no bound'),
  to: time.nullable(),
  rows: z
    .number()
    .nullable()
    .describe('an estimate by the server; the exact number if archived; null: not known yet'),
  bytes: z.number().describe('in PostgreSQL including indexes; in the object store if archived'),
  state: z
    .enum(['future', 'open', 'closed', 'exported', 'archived', 'retired'])
    .describe(
      'open: accepts rows; closed: waits for its export; exported: in both places; archived: only in the store',
    ),
})
export type PartitionState = z.output<typeof partition>

const hold = z.object({
  table: z.string(),
  held: z.boolean(),
  history: list(
    z.object({
      at: time,
      action: z.enum(['hold', 'release']),
      by: z.string().nullable().describe('id of a user, or who else acted'),
      reason: z.string().nullable(),
    }),
  ).describe('newest first'),
})
export type TableHold = z.output<typeof hold>

const copyPolicy = z.object({
  id: z.string(),
  table: z.string(),
  tenant: z.string().nullable().describe('rows of this tenant; null for all tenants'),
  class: z.string().nullable().describe('rows of this class; null for all classes'),
  destination: z.string().describe('main, cold, or a name of ARCHIVE_DESTINATIONS'),
  total: z.string().describe('how long a copy is kept from the end of its period, ISO 8601'),
  endedAt: time
    .nullable()
    .describe('since then nothing is copied; existing copies are kept as long as promised'),
  changedAt: time,
  changedBy: z.string().nullable(),
})
export type CopyPolicy = z.output<typeof copyPolicy>

const groupName = z.string().min(1).max(255).nullable()
const copyPolicyChange = z.strictObject({
  tenant: groupName.default(null).describe('null for rows of all tenants'),
  class: groupName.default(null).describe('null for rows of all classes'),
  destination: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  total: duration.nullable().describe('such as 3 years; null stops copying'),
  reason: reason.describe('recorded in the audit trail'),
})

const archiveCopy = z.object({
  table: z.string(),
  partition: z.string(),
  generation: z.number(),
  tenant: z.string().nullable(),
  class: z.string().nullable(),
  destination: z.string(),
  state: z.enum(['copying', 'verified', 'deleting', 'deleted']),
  manifest: z.string().describe('key at the destination; null for a copy without rows'),
  rows: z.number().nullable(),
  bytes: z.number().nullable(),
  keepUntil: time,
  verifiedAt: time.nullable(),
  message: z.string().nullable().describe('why the last attempt failed'),
})

const usage = z.object({
  table: z.string(),
  tenant: z.string().nullable().describe('null for rows without one'),
  class: z.string().nullable(),
  others: z.boolean().describe('all groups beyond the largest 1,000 of an export, together'),
  databaseRows: z.number().describe('in PostgreSQL'),
  databaseBytes: z.number(),
  archivedRows: z.number().describe('in the archive; some may be in PostgreSQL as well'),
  archivedBytes: z.number(),
  copiedBytes: z.number().describe('in copies at other destinations'),
  oldest: time.nullable(),
  newest: time.nullable(),
  monthlyDollars: z.number().describe('storage of a month at list prices'),
})
export type TenantUsage = z.output<typeof usage>

const tableName = z.string().regex(/^[^.]+\.[^.]+$/, 'schema.table')
const byTable = z.strictObject({ table: tableName })
const asOf = z.strictObject({ asOf: moment.optional() })

export const archiveOperations = {
  'GET /v1/archive': {
    summary: 'Archived partitions with their state',
    response: z.object({ exports: list(archiveExport) }),
  },
  'GET /v1/archive/plan': {
    summary: 'What an archive run would do',
    query: asOf,
    response: z.object({ tables: list(planRow) }),
  },
  'POST /v1/archive/runs': {
    summary: 'Request an archive run: export and drop what is due',
    response: z.object({ requestedAt: time }),
    status: 202,
  },
  'GET /v1/archive/partitions': {
    summary: 'Partitions of one table or all tables, with rows, bytes and state; oldest first',
    query: z.strictObject({ table: tableName.optional() }),
    response: z.object({
      tables: list(
        z.object({
          table: z.string(),
          interval: z.enum(['day', 'month']),
          coveredUntil: z.string().nullable(),
          alarm: z.boolean().describe('about to run out of partitions'),
          partitions: list(partition),
        }),
      ),
    }),
  },
  'GET /v1/archive/holds': {
    summary: 'Tables that are or were under legal hold, with their history',
    response: z.object({ holds: list(hold) }),
  },
  'PUT /v1/archive/holds/{table}': {
    summary: 'Place a table under legal hold, or release it',
    params: byTable,
    body: z.strictObject({ held: z.boolean(), reason }),
    response: z.object({ table: z.string(), held: z.boolean() }),
  },
  'GET /v1/archive/policies': {
    summary: 'How tables are partitioned and how long their rows are kept',
    response: z.object({ policies: list(policy) }),
  },
  'PATCH /v1/archive/policies/{table}': {
    summary: 'Change the given parts of a policy, or create the policy of a partitioned table',
    params: byTable,
    body: policyChange,
    response: policy,
  },
  'GET /v1/archive/copy-policies': {
    summary: 'Which parts of which tables are copied to which destinations, and for how long',
    response: z.object({ policies: list(copyPolicy) }),
  },
  'PUT /v1/archive/copy-policies/{table}': {
    summary: 'Copy a part of a table to a destination, or end that',
    params: byTable,
    body: copyPolicyChange,
    response: copyPolicy,
  },
  'GET /v1/archive/copies': {
    summary: 'Copies of the archive at other destinations',
    response: z.object({ copies: list(archiveCopy) }),
  },
  'GET /v1/archive/tenants': {
    summary: 'Rows, bytes, age and cost of the data of each tenant',
    query: z.strictObject({ tenant: z.string().min(1).max(255).optional() }),
    response: z.object({ tenants: list(usage) }),
  },
  'GET /v1/archive/retirement': {
    summary: 'Data past its total retention, which would be deleted',
    query: asOf,
    response: z.object({ tables: list(planRow) }),
  },
  'POST /v1/archive/thaw': {
    summary: 'Request that the frozen objects of a period be thawed; returns those that cannot be read yet',
    body: z.strictObject({
      table: tableName.optional(),
      from: moment.optional().describe('only periods that end after it'),
      to: moment.optional().describe('only periods that begin before it'),
    }),
    response: z.object({ objects: list(frozenObject) }),
    status: 202,
  },
} as const satisfies OperationTable
