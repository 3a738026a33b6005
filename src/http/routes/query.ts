import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_QUERY_SECONDS } from '@akashi/contract'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import { requirePermission } from '../../identity/index.ts'
import { MAX_AT_ONCE, openQueries, type QueryRequest, writeResult } from '../../lifecycle/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { permissionsToRead } from './table-permissions.ts'

const RETRY_AFTER_S = 5
const MS_PER_S = 1_000
/** Milliseconds beyond the query's own limit, to report that it was exceeded. */
const GRACE_MS = 5_000

const mediaTypes = { csv: 'text/csv; charset=utf-8', parquet: 'application/vnd.apache.parquet' } as const

/** SQL over PostgreSQL and the archive. The permissions allow reading whole tables; each read is recorded. */
export function queryRoutes(app: App, { app: database, securityAdmin, store }: Services): void {
  const queries = openQueries({ database: securityAdmin, store })
  app.addHook('onClose', async () => queries.close())
  let running = 0
  operation(app, 'POST /v1/query', {
    access: { permission: 'query:read', reads: '*' },
    handlerTimeout: MAX_QUERY_SECONDS * MS_PER_S + GRACE_MS,
    handle: async (request, reply) => {
      if (running >= MAX_AT_ONCE) {
        reply.header('retry-after', RETRY_AFTER_S)
        throw new AkashiError('rate_limited', 'other queries are running', {
          hint: `send the request again after ${RETRY_AFTER_S} s`,
        })
      }
      running += 1
      try {
        const { sql, rows, seconds, reason, format } = request.body
        const query: QueryRequest = {
          sql,
          ...(rows === undefined ? {} : { rows }),
          ...(reason === undefined ? {} : { reason }),
          timeoutMs: Math.ceil(seconds * MS_PER_S),
          signal: callerSignal(reply),
          authorize: async (tables) => {
            for (const permission of permissionsToRead(tables)) {
              await requirePermission(database, request.actor, permission)
            }
          },
        }
        if (format === 'json') {
          return await queries.run(request.actor, query)
        }
        const folder = await makeScratchFolder('answer')
        const removeFolder = () => rm(folder, { recursive: true, force: true })
        try {
          const file = join(folder, `answer.${format}`)
          const written = await writeResult(queries, request.actor, query, { format, file })
          reply.raw.once('close', () => void removeFolder())
          reply.header('content-type', mediaTypes[format])
          reply.header('content-disposition', `attachment; filename="answer.${format}"`)
          reply.header('x-truncated', String(written.truncated))
          return await reply.send(createReadStream(file))
        } catch (error) {
          await removeFolder()
          throw error
        }
      } finally {
        running -= 1
      }
    },
  })
  operation(app, 'POST /v1/query/thaw', {
    access: { permission: 'archive:write', stepUp: true },
    handle: async (request) => ({ thawing: await queries.thaw(request.body.objects) }),
  })
}
