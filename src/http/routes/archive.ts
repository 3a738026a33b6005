import { z } from 'zod'
import {
  archiveStatus,
  holdTable,
  listPolicies,
  planArchive,
  planRetirement,
  setPolicy,
  thawArchive,
} from '../../lifecycle/index.ts'
import { runNow } from '../../operations/index.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const time = z.iso.datetime({ offset: true })

const exported = z.object({
  schema: z.string(),
  table: z.string(),
  partition: z.string(),
  from: z.string(),
  to: z.string(),
  generation: z.number().describe('0 when the partition closed, later ones for rows that came afterwards'),
  state: z.enum(['exporting', 'verified', 'detached', 'dropped', 'retiring', 'retired']),
  manifest: z.string().describe('key in the object store'),
  fingerprint: z.string().nullable(),
  rows: z.number().nullable(),
  objects: z.number().nullable(),
  bytes: z.number().nullable(),
  verifiedAt: z.string().nullable(),
  droppedAt: z.string().nullable(),
  restoredAt: z.string().nullable(),
  retiredAt: z.string().nullable(),
  keepUntil: z.string().nullable(),
  message: z.string().nullable().describe('why the last attempt failed'),
})

const row = z.object({
  table: z.string(),
  partition: z.string(),
  action: z.enum(['export', 'drop', 'exported', 'dropped', 'held', 'busy', 'failed']),
  rows: z.number(),
  exported: z.boolean(),
  dropped: z.boolean(),
  object: z.string().nullable(),
  message: z.string(),
})

const tableParams = z.strictObject({ table: z.string().regex(/^[^.]+\.[^.]+$/) })

const length = z.string().min(1).max(100)

const policy = z.object({
  table: z.string(),
  interval: z.enum(['day', 'month']),
  ahead: z.int().describe('partitions that exist ahead of the current one'),
  hot: z.string().describe('in PostgreSQL, ISO 8601'),
  atExpiry: z.enum(['archive', 'retire', 'keep']),
  total: z.string().describe('in all, ISO 8601'),
  lateness: z.string(),
  format: z.enum(['parquet', 'parquet+csv']),
  appendOnly: z.boolean(),
  legalHold: z.boolean(),
  changedAt: z.string(),
  changedBy: z.string().nullable(),
})

const policyChanges = z.strictObject({
  interval: z.enum(['day', 'month']).optional().describe('only of a table that has no policy yet'),
  ahead: z.int().positive().max(1_200).optional().describe('8 days or 2 months at least'),
  hot: length.optional().describe('such as 90 days'),
  atExpiry: z.enum(['archive', 'retire', 'keep']).optional(),
  total: length.optional().describe('such as 2555 days'),
  lateness: length.optional(),
  format: z.enum(['parquet', 'parquet+csv']).optional(),
  reason: z.string().max(1_000).optional().describe('kept in the trail'),
})

const retired = z.object({
  table: z.string(),
  partition: z.string(),
  action: z.enum(['retire', 'retired', 'held', 'failed']),
  rows: z.number(),
  object: z.string().nullable(),
  message: z.string(),
})

const frozenObject = z.object({
  object: z.string(),
  bytes: z.number(),
  state: z.enum(['frozen', 'thawing']),
})

/** The archive: what is in it, what is due, and legal hold. Restoring takes an administrator's command line. */
export function archiveRoutes(app: App, { trail, store }: Services): void {
  route(app, {
    method: 'GET',
    url: '/archive',
    access: { permission: 'archive:read' },
    schema: {
      summary: 'What was archived, and where it stands',
      tags: ['archive'],
      response: { 200: z.object({ exports: z.array(exported) }) },
    },
    handle: async () => ({ exports: await archiveStatus(trail) }),
  })
  route(app, {
    method: 'GET',
    url: '/archive/plan',
    access: { permission: 'archive:read' },
    schema: {
      summary: 'What a run would do',
      tags: ['archive'],
      querystring: z.strictObject({ asOf: time.optional() }),
      response: { 200: z.object({ tables: z.array(row) }) },
    },
    handle: async ({ query }) => ({
      tables: await planArchive(trail, query.asOf === undefined ? {} : { asOf: new Date(query.asOf) }),
    }),
  })
  route(app, {
    method: 'POST',
    url: '/archive/runs',
    access: { permission: 'archive:write', stepUp: true },
    schema: {
      summary: 'Ask the workers to export and drop what is due',
      tags: ['archive'],
      response: { 202: z.object({ requestedAt: z.string() }) },
    },
    handle: async (_, reply) => {
      await runNow(trail, 'archive-export')
      return reply.code(202).send({ requestedAt: await runNow(trail, 'archive-expire') })
    },
  })
  route(app, {
    method: 'PUT',
    url: '/archive/holds/:table',
    access: { permission: 'archive:write', stepUp: true },
    schema: {
      summary: 'Put a table under legal hold, or end it',
      tags: ['archive'],
      params: tableParams,
      body: z.strictObject({ held: z.boolean(), reason: z.string().max(1_000).optional() }),
      response: {
        200: z.object({ table: z.string(), held: z.boolean() }),
      },
    },
    handle: async (request) => {
      const { table } = request.params
      const { held, reason } = request.body
      const [schema = '', name = ''] = table.split('.')
      await holdTable(
        trail,
        { schema, table: name, held, ...(reason === undefined ? {} : { reason }) },
        request.actor,
      )
      return { table, held }
    },
  })
  route(app, {
    method: 'GET',
    url: '/archive/policies',
    access: { permission: 'archive:read' },
    schema: {
      summary: 'How every table is cut, and how long it is kept',
      tags: ['archive'],
      response: { 200: z.object({ policies: z.array(policy) }) },
    },
    handle: async () => ({ policies: await listPolicies(trail) }),
  })
  route(app, {
    method: 'PATCH',
    url: '/archive/policies/:table',
    access: { permission: 'archive:write', stepUp: true },
    schema: {
      summary: 'Change what is named of a policy, or give a partitioned table one',
      tags: ['archive'],
      params: tableParams,
      body: policyChanges,
      response: {
        200: policy,
      },
    },
    handle: async ({ params, body, actor }) => {
      const [schema = '', table = ''] = params.table.split('.')
      const { reason, ...changes } = body
      return await setPolicy(trail, { schema, table }, changes, {
        actor,
        ...(reason === undefined ? {} : { reason }),
      })
    },
  })
  route(app, {
    method: 'GET',
    url: '/archive/retirement',
    access: { permission: 'archive:read' },
    schema: {
      summary: 'What the end of its total retention would delete',
      tags: ['archive'],
      querystring: z.strictObject({ asOf: time.optional() }),
      response: { 200: z.object({ tables: z.array(retired) }) },
    },
    handle: async ({ query }) => ({
      tables: await planRetirement(trail, query.asOf === undefined ? {} : { asOf: new Date(query.asOf) }),
    }),
  })
  route(app, {
    method: 'POST',
    url: '/archive/thaw',
    access: { permission: 'archive:write', stepUp: true },
    schema: {
      summary: 'Ask for the frozen objects of some periods; answers those that cannot be read yet',
      tags: ['archive'],
      body: z.strictObject({
        table: tableParams.shape.table.optional(),
        from: time.optional().describe('only periods that end after it'),
        to: time.optional().describe('only periods that begin before it'),
      }),
      response: {
        202: z.object({ objects: z.array(frozenObject) }),
      },
    },
    handle: async ({ body }, reply) => {
      const [schema, table] = body.table?.split('.') ?? []
      return reply.code(202).send({
        objects: await thawArchive(trail, store, {
          ...(schema === undefined || table === undefined ? {} : { table: { schema, table } }),
          ...(body.from === undefined ? {} : { from: new Date(body.from) }),
          ...(body.to === undefined ? {} : { to: new Date(body.to) }),
        }),
      })
    },
  })
}
