import { countTrail, recordAsOf, recordHistory, searchTrail } from '../../audit/index.ts'
import { given } from '../../foundation/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** The audit trail: search, the history of a record, and a record at a time. */
export function auditRoutes(app: App, { securityAdmin }: Services): void {
  operation(app, 'GET /v1/audit/logs', {
    access: { permission: 'audit_logs:read', reads: 'akashi_audit.audit_logs' },
    handle: (request) => searchTrail(securityAdmin, request.actor, given(request.query)),
  })
  operation(app, 'GET /v1/audit/counts', {
    access: { permission: 'audit_logs:read', reads: 'akashi_audit.audit_logs' },
    handle: (request) => countTrail(securityAdmin, request.actor, given(request.query)),
  })
  operation(app, 'GET /v1/audit/records/{schema}/{table}/{recordId}', {
    access: { permission: 'audit_logs:read', reads: 'akashi_audit.audit_logs' },
    handle: (request) =>
      recordHistory(securityAdmin, request.actor, { ...request.params, ...given(request.query) }),
  })
  operation(app, 'GET /v1/audit/records/{schema}/{table}/{recordId}/as-of/{at}', {
    access: { permission: 'audit_logs:read', reads: 'akashi_audit.audit_logs' },
    handle: (request) => recordAsOf(securityAdmin, request.actor, request.params),
  })
}
