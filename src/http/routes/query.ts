import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import {
  MAX_AT_ONCE,
  MAX_ROWS,
  MAX_SQL_CHARACTERS,
  openQueries,
  type QueryRequest,
  writeAnswer,
} from '../../lifecycle/index.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Seconds that a query may take: others wait for the engine. */
const MAX_SECONDS = 600
const DEFAULT_SECONDS = 60
const RETRY_AFTER_S = 5
const MS_PER_S = 1_000
const MAX_REASON_CHARACTERS = 1_000
/** Milliseconds beside the query's own limit, in which it says that it was met. */
const GRACE_MS = 5_000

const body = z.strictObject({
  sql: z.string().min(1).max(MAX_SQL_CHARACTERS).describe('one SELECT; tables are named as in PostgreSQL'),
  rows: z.int().positive().max(MAX_ROWS).optional().describe('rows of the answer at most; default 10,000'),
  seconds: z.number().positive().max(MAX_SECONDS).default(DEFAULT_SECONDS).describe('for all of it'),
  reason: z.string().max(MAX_REASON_CHARACTERS).optional().describe('why it is asked: kept in the trail'),
  format: z.enum(['json', 'csv', 'parquet']).default('json'),
})

const answer = z.object({
  columns: z.array(z.string()),
  types: z.array(z.string()).describe('types of DuckDB'),
  rows: z.array(z.array(z.unknown())),
  files: z.array(z.string()).describe('archived objects that were read'),
  hot: z.int().describe('rows that came from PostgreSQL'),
  truncated: z.boolean().describe('there are more rows than were asked for'),
})

const mediaTypes = { csv: 'text/csv; charset=utf-8', parquet: 'application/vnd.apache.parquet' } as const

/** SQL over everything that is kept. Whoever may ask reads whole tables, and each read is recorded. */
export function queryRoutes(app: App, { trail, store }: Services): void {
  const queries = openQueries({ database: trail, store })
  app.addHook('onClose', async () => queries.close())
  let underWay = 0
  route(app, {
    method: 'POST',
    url: '/query',
    access: { permission: 'query:read', reads: '*' },
    handlerTimeout: MAX_SECONDS * MS_PER_S + GRACE_MS,
    schema: {
      summary: 'Search everything that is kept, archived or not',
      description:
        'Ends when the caller leaves. With 409 and frozen objects, POST /query/thaw asks for them; the same query goes on later.',
      tags: ['query'],
      body,
      response: {
        200: answer.or(z.unknown().describe('CSV or Parquet')),
      },
    },
    handle: async (request, reply) => {
      if (underWay >= MAX_AT_ONCE) {
        reply.header('retry-after', RETRY_AFTER_S)
        throw new AkashiError('rate_limited', 'other queries are running', {
          hint: `ask again after ${RETRY_AFTER_S} s`,
        })
      }
      underWay += 1
      try {
        const { sql, rows, seconds, reason, format } = request.body
        const asked: QueryRequest = {
          sql,
          ...(rows === undefined ? {} : { rows }),
          ...(reason === undefined ? {} : { reason }),
          timeoutMs: Math.ceil(seconds * MS_PER_S),
          signal: callerSignal(reply),
        }
        if (format === 'json') {
          const found = await queries.run(request.actor, asked)
          return {
            ...found,
            columns: [...found.columns],
            types: [...found.types],
            rows: found.rows.map((row) => [...row]),
            files: [...found.files],
          }
        }
        const folder = await makeScratchFolder('answer')
        const gone = () => rm(folder, { recursive: true, force: true })
        try {
          const file = join(folder, `answer.${format}`)
          const written = await writeAnswer(queries, request.actor, asked, { format, file })
          reply.raw.once('close', () => void gone())
          reply.header('content-type', mediaTypes[format])
          reply.header('content-disposition', `attachment; filename="answer.${format}"`)
          reply.header('x-truncated', String(written.truncated))
          return await reply.send(createReadStream(file))
        } catch (error) {
          await gone()
          throw error
        }
      } finally {
        underWay -= 1
      }
    },
  })
  route(app, {
    method: 'POST',
    url: '/query/thaw',
    access: { permission: 'query:read' },
    schema: {
      summary: 'Ask for frozen objects to become readable',
      tags: ['query'],
      body: z.strictObject({
        objects: z
          .array(z.string().regex(/^archive\//))
          .min(1)
          .max(1_000),
      }),
      response: {
        202: z.object({ thawing: z.array(z.string()) }),
      },
    },
    handle: async (request, reply) =>
      reply.code(202).send({ thawing: [...(await queries.thaw(request.body.objects))] }),
  })
}
