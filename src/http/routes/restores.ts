import { parseTarget, planRestore, readCatalog } from '../../backup/index.ts'
import { AkashiError, given, parseTableName } from '../../foundation/index.ts'
import { cancelRestore, listRestores, openRestoreRuns, readRestore } from '../../operations/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/**
 * Restores of one table: requested, followed, cancelled. Only the command line restores the whole cluster, since this
 * server would be part of what was lost.
 */
export function restoreRoutes(app: App, { backups, securityAdmin }: Services): void {
  const runs = openRestoreRuns(securityAdmin)
  app.addHook('onClose', () => runs.close())
  operation(app, 'GET /v1/restores/plan', {
    access: { permission: 'backup:read' },
    budget: { requests: 30, seconds: 60 },
    handle: async ({ query, actor }, reply) => {
      const target = parseTarget(query.at)
      const signal = callerSignal(reply)
      return planRestore(await readCatalog(await backups.open(actor, signal), signal), target)
    },
  })
  operation(app, 'GET /v1/restores', {
    access: { permission: 'backup:read' },
    handle: ({ actor, query }) => listRestores(securityAdmin, actor, query),
  })
  operation(app, 'GET /v1/restores/{id}', {
    // Its result names rows of the table.
    access: { permission: 'backup:admin' },
    handle: ({ actor, params }) => readRestore(securityAdmin, actor, params.id),
  })
  operation(app, 'DELETE /v1/restores/{id}', {
    access: { permission: 'backup:admin' },
    handle: async ({ actor, params }) => {
      await cancelRestore(securityAdmin, actor, params.id)
      return { id: params.id }
    },
  })
  operation(app, 'POST /v1/restores', {
    access: { permission: 'backup:admin', stepUp: true, reason: { with: 'apply' } },
    budget: { requests: 6, seconds: 60 },
    handle: async ({ body, actor }, reply) => {
      const { table, at, into, diff, apply } = body
      if (into === undefined && !diff && apply === undefined) {
        throw new AkashiError('invalid_input', 'one of into, diff and apply is required', {
          hint: 'into restores into a new table, diff compares, apply writes rows back',
        })
      }
      const name = parseTableName(table)
      const target = parseTarget(at)
      const copy = into === undefined ? undefined : parseTableName(into, name.schema)
      const backupStore = await backups.open(actor, callerSignal(reply))
      const request = { table, target: at, into, diff, reason: apply?.reason }
      const id = await runs.begin(actor, request, (signal, onPhase) =>
        backups.restoreTable(backupStore, actor, {
          table: name,
          target,
          diff,
          ...given({ into: copy, apply }),
          signal,
          onPhase,
        }),
      )
      return { id }
    },
  })
}
