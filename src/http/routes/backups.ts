import { describeCatalog, listAuditCopies, readCatalog } from '../../backup/index.ts'
import { listDrills, listRestorePoints } from '../../operations/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** What is in the store, and what drills found. */
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
  operation(app, 'GET /v1/backups/points', {
    access: { permission: 'backup:read' },
    handle: async ({ actor }) => ({ points: await listRestorePoints(securityAdmin, actor) }),
  })
  operation(app, 'GET /v1/drills', {
    access: { permission: 'backup:read' },
    handle: async ({ actor }) => ({ drills: await listDrills(securityAdmin, actor) }),
  })
}
