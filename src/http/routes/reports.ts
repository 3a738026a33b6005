import { listReports, readReport, readSummary } from '../../report/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { sendReportFile } from '../report-file.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Milliseconds for a report; events of a busy month take a while to count. */
const MAKE_TIMEOUT_MS = 110_000

/** Compliance reports: making, listing, reading. */
export function reportRoutes(app: App, services: Services): void {
  const { securityAdmin, makeReport } = services
  operation(app, 'GET /v1/reports', {
    access: { permission: 'reports:read' },
    handle: async ({ actor, query }) => ({ reports: await listReports(securityAdmin, actor, query) }),
  })
  operation(app, 'POST /v1/reports', {
    access: { permission: 'reports:write' },
    handlerTimeout: MAKE_TIMEOUT_MS,
    budget: { requests: 6, seconds: 60 },
    handle: async ({ actor, body }, reply) => {
      const { document } = await makeReport(actor, body.month, callerSignal(reply))
      return await readSummary(securityAdmin, actor, document.id)
    },
  })
  operation(app, 'GET /v1/reports/{id}', {
    access: { permission: 'reports:read', reads: 'compliance_reports' },
    handle: ({ actor, params }) => readReport(securityAdmin, actor, params.id),
  })
  operation(app, 'GET /v1/reports/{id}/file', {
    access: { permission: 'reports:read', reads: 'compliance_reports' },
    budget: { requests: 60, seconds: 60 },
    handle: ({ actor, params, query }, reply) => sendReportFile(reply, services, actor, params.id, query),
  })
}
