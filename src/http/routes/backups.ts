import {
  describeCatalog,
  listAuditCopies,
  parseTarget,
  planRestore,
  readCatalog,
} from '../../backup/index.ts'
import { AkashiError, parseTableName } from '../../foundation/index.ts'
import { listDrills } from '../../operations/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Milliseconds for one table; the connection is closed after two minutes without a byte. */
const TABLE_TIMEOUT_MS = 110_000

/**
 * Backups, restore plans, restores of one table, and drills. Only the command line restores the whole cluster,
 * since this server would be part of what was lost.
 */
export function backupRoutes(app: App, { backups, securityAdmin }: Services): void {
  operation(app, 'GET /v1/backups', {
    access: { permission: 'backup:read' },
    handle: async ({ actor }, reply) => {
      const signal = callerSignal(reply)
      return describeCatalog(await readCatalog(await backups.open(actor, signal), signal))
    },
  })
  operation(app, 'GET /v1/backups/audit-copies', {
    access: { permission: 'backup:read' },
    handle: async ({ actor }, reply) => {
      const signal = callerSignal(reply)
      return { copies: await listAuditCopies(await backups.openForAuditCopies(actor), signal) }
    },
  })
  operation(app, 'GET /v1/restores/plan', {
    access: { permission: 'backup:read' },
    budget: { requests: 30, seconds: 60 },
    handle: async ({ query, actor }, reply) => {
      const target = parseTarget(query.at)
      const signal = callerSignal(reply)
      return planRestore(await readCatalog(await backups.open(actor, signal), signal), target)
    },
  })
  operation(app, 'GET /v1/drills', {
    access: { permission: 'backup:read' },
    handle: async ({ actor }) => ({ drills: await listDrills(securityAdmin, actor) }),
  })
  operation(app, 'POST /v1/restores', {
    access: { permission: 'backup:admin', stepUp: true, reason: { with: 'apply' } },
    handlerTimeout: TABLE_TIMEOUT_MS,
    budget: { requests: 6, seconds: 60 },
    handle: async ({ body, actor }, reply) => {
      const { table, at, into, diff, apply } = body
      if (into === undefined && !diff && apply === undefined) {
        throw new AkashiError('invalid_input', 'one of into, diff and apply is required', {
          hint: 'into restores into a new table, diff compares, apply writes rows back',
        })
      }
      const name = parseTableName(table)
      const signal = callerSignal(reply)
      return await backups.restoreTable(await backups.open(actor, signal), actor, {
        table: name,
        target: parseTarget(at),
        ...(into === undefined ? {} : { into: parseTableName(into, name.schema) }),
        diff,
        ...(apply === undefined ? {} : { apply }),
        signal,
      })
    },
  })
}
