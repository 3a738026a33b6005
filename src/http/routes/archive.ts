import { z } from 'zod'
import { archiveStatus, holdTable, planArchive } from '../../lifecycle/index.ts'
import { runNow } from '../../operations/index.ts'
import { problemResponse } from '../problem.ts'
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
  state: z.enum(['exporting', 'verified', 'detached', 'dropped']),
  manifest: z.string().describe('key in the object store'),
  fingerprint: z.string().nullable(),
  rows: z.number().nullable(),
  objects: z.number().nullable(),
  bytes: z.number().nullable(),
  verifiedAt: z.string().nullable(),
  droppedAt: z.string().nullable(),
  restoredAt: z.string().nullable(),
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

/** The archive: what is in it, what is due, and legal hold. Restoring takes an administrator's command line. */
export function archiveRoutes(app: App, { trail }: Services): void {
  app.get(
    '/archive',
    {
      schema: {
        summary: 'What was archived, and where it stands',
        tags: ['archive'],
        response: { 200: z.object({ exports: z.array(exported) }), 401: problemResponse },
      },
    },
    async () => ({ exports: await archiveStatus(trail) }),
  )
  app.get(
    '/archive/plan',
    {
      schema: {
        summary: 'What a run would do',
        tags: ['archive'],
        querystring: z.strictObject({ asOf: time.optional() }),
        response: { 200: z.object({ tables: z.array(row) }), 400: problemResponse, 401: problemResponse },
      },
    },
    async ({ query }) => ({
      tables: await planArchive(trail, query.asOf === undefined ? {} : { asOf: new Date(query.asOf) }),
    }),
  )
  app.post(
    '/archive/runs',
    {
      schema: {
        summary: 'Ask the workers to export and drop what is due',
        tags: ['archive'],
        response: { 202: z.object({ requestedAt: z.string() }), 401: problemResponse },
      },
    },
    async (_, reply) => {
      await runNow(trail, 'archive-export')
      return reply.code(202).send({ requestedAt: await runNow(trail, 'archive-expire') })
    },
  )
  app.put(
    '/archive/holds/:table',
    {
      schema: {
        summary: 'Put a table under legal hold, or end it',
        tags: ['archive'],
        params: z.strictObject({ table: z.string().regex(/^[^.]+\.[^.]+$/) }),
        body: z.strictObject({ held: z.boolean(), reason: z.string().max(1_000).optional() }),
        response: {
          200: z.object({ table: z.string(), held: z.boolean() }),
          400: problemResponse,
          401: problemResponse,
          404: problemResponse,
        },
      },
    },
    async (request) => {
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
  )
}
