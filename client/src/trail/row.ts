import type { Json, TrailRow, Values } from '@akashi/contract/trail'
import { parseExact } from './json.ts'

export type { Json, TrailRow, Values } from '@akashi/contract/trail'

/** Select list that gives a {@link StoredRow} from `akashi_audit.audit_logs` under an alias. */
export function rowColumns(alias: string): string {
  return [
    // As text in UTC, whatever the connection makes of times.
    `to_char(${alias}.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt"`,
    ...columns.map(([key, column]) => `${alias}.${column} as "${key}"`),
  ].join(', ')
}

const columns: readonly (readonly [key: keyof TrailRow, column: string])[] = [
  ['id', 'id'],
  ['seq', 'seq::text'],
  ['xid', 'xid::text'],
  ['userId', 'user_id'],
  ['sessionId', 'session_id'],
  ['subject', 'subject'],
  ['ipAddress', 'ip_address'],
  ['userAgent', 'user_agent'],
  ['contextVerified', 'context_verified'],
  ['signedBy', 'signed_by'],
  ['dbUser', 'db_user'],
  ['dbSystemUser', 'db_system_user'],
  ['dbAddress', 'db_address'],
  ['applicationName', 'application_name'],
  ['eventType', 'event_type'],
  ['action', 'action'],
  ['resource', 'resource'],
  ['resourceId', 'resource_id'],
  ['result', 'result'],
  ['errorCode', 'error_code'],
  ['errorMessage', 'error_message'],
  ['schema', 'schema_name'],
  ['table', 'table_name'],
  ['operation', 'operation'],
  ['triggerDepth', 'trigger_depth'],
  ['recordId', 'record_id'],
  ['dataSubject', 'data_subject'],
  ['oldValues', 'old_values::text'],
  ['newValues', 'new_values::text'],
  ['changedFields', 'changed_fields'],
  ['detail', 'detail::text'],
  ['apiEndpoint', 'api_endpoint'],
  ['requestId', 'request_id'],
  ['traceId', 'trace_id'],
  ['correlationId', 'correlation_id'],
  ['applicationVersion', 'application_version'],
  ['tenantId', 'tenant_id'],
  ['classification', 'data_classification'],
  ['complianceContext', 'compliance_context::text'],
]

type JsonColumn = 'oldValues' | 'newValues' | 'detail' | 'complianceContext'

/** A row as it was read: JSON is still text. */
export type StoredRow = Omit<TrailRow, JsonColumn> & Readonly<Record<JsonColumn, string | null>>

export function toTrailRow(stored: StoredRow): TrailRow {
  return {
    ...stored,
    oldValues: parse<Values>(stored.oldValues),
    newValues: parse<Values>(stored.newValues),
    detail: parse<Json>(stored.detail),
    complianceContext: parse<Json>(stored.complianceContext),
  }
}

/** The trail's own triggers wrote it, so its shape is known. */
function parse<T extends Json>(text: string | null): T | null {
  return text === null ? null : (parseExact(text) as T)
}
