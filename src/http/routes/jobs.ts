import { jobHistory, listJobs, pauseJob, runNow } from '../../operations/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** The timetable of the workers. */
export function jobRoutes(app: App, { securityAdmin }: Services): void {
  operation(app, 'GET /v1/jobs', {
    access: { permission: 'jobs:read' },
    handle: async ({ actor }) => ({ jobs: await listJobs(securityAdmin, actor) }),
  })
  operation(app, 'PATCH /v1/jobs/{job}', {
    access: { permission: 'jobs:write', stepUp: true, reason: true },
    handle: ({ actor, params, body }) => pauseJob(securityAdmin, actor, params.job, body.paused, body.reason),
  })
  operation(app, 'GET /v1/jobs/{job}/runs', {
    access: { permission: 'jobs:read' },
    handle: async ({ actor, params, query }) => ({
      runs: await jobHistory(securityAdmin, actor, params.job, query.limit),
    }),
  })
  operation(app, 'POST /v1/jobs/{job}/runs', {
    access: { permission: 'jobs:write', stepUp: true, reason: true },
    handle: async ({ actor, params, body }) => ({
      requestedAt: await runNow(securityAdmin, actor, params.job, body.reason),
      runs: `/v1/jobs/${params.job}/runs`,
    }),
  })
}
