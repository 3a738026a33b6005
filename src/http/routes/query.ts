import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_QUERY_SECONDS } from '@akashi/contract'
import { AkashiError, given, makeScratchFolder } from '../../foundation/index.ts'
import { requirePermission } from '../../identity/index.ts'
import { MAX_AT_ONCE, openQueries, type QueryRequest, writeResult } from '../../lifecycle/index.ts'
import { operation } from '../operation.ts'
import { spending } from '../plugins/budget.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { permissionsToRead } from './table-permissions.ts'

const RETRY_AFTER_S = 5
const MS_PER_S = 1_000
/** Milliseconds beyond the query's own limit, to report that it was exceeded. */
const GRACE_MS = 5_000

/** Bytes of one exported file at most, as JSON. */
const MAX_EXPORT_BYTES = 1_073_741_824
/** Maximum exports of one caller per hour. */
const EXPORTS = { requests: 20, seconds: 3_600 }
/** Maximum exports of all callers that are being written or downloaded. */
const MAX_OPEN_EXPORTS = 4

const mediaTypes = { csv: 'text/csv; charset=utf-8', parquet: 'application/vnd.apache.parquet' } as const

/** SQL over PostgreSQL and the archive. The permissions allow reading whole tables; each read is recorded. */
export function queryRoutes(app: App, { app: database, securityAdmin, store }: Services): void {
  const queries = openQueries({ database: securityAdmin, store })
  app.addHook('onClose', async () => queries.close())
  let running = 0
  let openExports = 0
  const spendExport = spending(EXPORTS)
  operation(app, 'POST /v1/query', {
    access: { permission: 'query:read', reads: '*' },
    budget: { requests: 60, seconds: 60 },
    handlerTimeout: MAX_QUERY_SECONDS * MS_PER_S + GRACE_MS,
    handle: async (request, reply) => {
      const refuse = (what: string): never => {
        reply.header('retry-after', RETRY_AFTER_S)
        throw new AkashiError('rate_limited', what, {
          hint: `send the request again after ${RETRY_AFTER_S} s`,
        })
      }
      const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
        if (running >= MAX_AT_ONCE) refuse('other queries are running')
        running += 1
        try {
          return await work()
        } finally {
          running -= 1
        }
      }
      const { sql, rows, seconds, reason, format } = request.body
      const query: QueryRequest = {
        sql,
        ...given({ rows, reason }),
        timeoutMs: Math.ceil(seconds * MS_PER_S),
        signal: callerSignal(reply),
        authorize: async (tables) => {
          for (const permission of permissionsToRead(tables)) {
            await requirePermission(database, request.actor, permission)
          }
        },
      }
      if (format === 'json') return await inTurn(() => queries.run(request.actor, query))
      spendExport(request)
      if (openExports >= MAX_OPEN_EXPORTS) refuse('other files are being fetched')
      openExports += 1
      const folder = await makeScratchFolder('answer')
      const file = join(folder, `answer.${format}`)
      try {
        const bytes = MAX_EXPORT_BYTES
        const written = await inTurn(() =>
          writeResult(queries, request.actor, { ...query, bytes }, { format, file }),
        )
        reply.header('content-type', mediaTypes[format])
        reply.header('content-disposition', `attachment; filename="answer.${format}"`)
        reply.header('x-truncated', String(written.truncated))
        // Until the result was fetched, or the caller has disconnected.
        return await reply.send(createReadStream(file))
      } finally {
        openExports -= 1
        await rm(folder, { recursive: true, force: true })
      }
    },
  })
  operation(app, 'POST /v1/query/thaw', {
    access: { permission: 'archive:write', stepUp: true },
    handle: async (request) => ({ thawing: await queries.thaw(request.body.objects) }),
  })
}
