import { crosscheckStatus, listDiscrepancies, listGaps, settleDiscrepancies } from '../../audit/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/**
 * The comparison of the trail with the write-ahead log: its progress, discrepancies, and ranges it could not
 * compare.
 */
export function crosscheckRoutes(app: App, { securityAdmin }: Services): void {
  operation(app, 'GET /v1/crosscheck', {
    access: { permission: 'ledger:read' },
    handle: ({ actor }) => crosscheckStatus(securityAdmin, actor),
  })
  operation(app, 'GET /v1/crosscheck/discrepancies', {
    access: { permission: 'audit_logs:read' },
    handle: async ({ actor, query }) => ({ rows: await listDiscrepancies(securityAdmin, actor, query) }),
  })
  operation(app, 'GET /v1/crosscheck/gaps', {
    access: { permission: 'ledger:read' },
    handle: async ({ actor, query }) => ({ rows: await listGaps(securityAdmin, actor, query) }),
  })
  operation(app, 'POST /v1/crosscheck/settle', {
    access: { permission: 'ledger:admin' },
    handle: async ({ actor, body }) => ({
      settled: await settleDiscrepancies(securityAdmin, actor, body.explanation, body.ids),
    }),
  })
}
