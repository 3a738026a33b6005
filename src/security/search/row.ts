import type { RemediationState } from '@akashi/contract'
import type { EventCategory, EventResult, Severity } from '../event.ts'

/** An event with its remediation. Times are ISO 8601 in UTC with microseconds. */
export interface EventRow {
  readonly id: string
  /** When it happened. */
  readonly createdAt: string
  /** When it arrived. */
  readonly receivedAt: string
  readonly type: string
  readonly category: EventCategory
  readonly severity: Severity
  readonly service: string
  readonly description: string | null
  readonly userId: string | null
  readonly userName: string | null
  readonly externalUserId: string | null
  readonly sessionId: string | null
  readonly address: string | null
  readonly userAgent: string | null
  readonly resourceType: string | null
  readonly resourceId: string | null
  readonly action: string | null
  readonly result: EventResult | null
  readonly tenantId: string | null
  readonly tenantName: string | null
  readonly clientId: string | null
  readonly clientName: string | null
  readonly requestId: string | null
  readonly traceId: string | null
  readonly ocsfClass: number | null
  readonly details: unknown
  readonly status: RemediationState
  readonly notes: string | null
  readonly assignee: string | null
  readonly resolvedAt: string | null
  readonly securityHubId: string | null
  /** `active` within its hot retention, `due` for archival after it. */
  readonly archiveStatus: 'active' | 'due'
  /** Total retention in days. */
  readonly retentionDays: number
}

const columns: readonly (readonly [key: keyof EventRow, column: string])[] = [
  ['id', 'id'],
  ['createdAt', 'created_at'],
  ['receivedAt', 'received_at'],
  ['type', 'event_type'],
  ['category', 'event_category'],
  ['severity', 'severity'],
  ['service', 'source_service'],
  ['description', 'description'],
  ['userId', 'user_id'],
  ['userName', 'user_name'],
  ['externalUserId', 'external_user_id'],
  ['sessionId', 'session_id'],
  ['address', 'source_ip'],
  ['userAgent', 'user_agent'],
  ['resourceType', 'resource_type'],
  ['resourceId', 'resource_id'],
  ['action', 'action_performed'],
  ['result', 'result'],
  ['tenantId', 'tenant_id'],
  ['tenantName', 'tenant_name'],
  ['clientId', 'client_id'],
  ['clientName', 'client_name'],
  ['requestId', 'request_id'],
  ['traceId', 'trace_id'],
  ['ocsfClass', 'ocsf_class_uid'],
  ['details', 'event_details'],
  ['status', 'remediation_status'],
  ['notes', 'remediation_notes'],
  ['assignee', 'assignee'],
  ['resolvedAt', 'resolved_at'],
  ['securityHubId', 'security_hub_id'],
  ['archiveStatus', 'archive_status'],
  ['retentionDays', 'retention_period'],
]

/** Select list for an {@link EventRow} from `akashi_security.v_security_events` under an alias. */
export function eventColumns(alias: string): string {
  return columns.map(([key, column]) => `${alias}.${column} as "${key}"`).join(', ')
}
