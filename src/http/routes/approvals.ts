import { confirmApproval, listApprovals, requestApproval, withdrawApproval } from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Actions that more than one person approves. The database also requires the permission of each action. */
export function approvalRoutes(app: App, { app: database }: Services): void {
  operation(app, 'GET /v1/approvals', {
    access: { permission: 'approvals:read' },
    handle: async ({ actor }) => ({ approvals: await listApprovals(database, actor) }),
  })
  operation(app, 'POST /v1/approvals', {
    access: { permission: 'approvals:write', stepUp: true, reason: true },
    handle: async ({ actor, body }) => ({ id: await requestApproval(database, actor, body) }),
  })
  operation(app, 'POST /v1/approvals/{id}/confirm', {
    access: { permission: 'approvals:write', by: 'session', stepUp: true },
    handle: ({ actor, params }) => confirmApproval(database, actor, params.id),
  })
  operation(app, 'DELETE /v1/approvals/{id}', {
    access: { permission: 'approvals:write', stepUp: true },
    handle: ({ actor, params }) => withdrawApproval(database, actor, params.id),
  })
}
