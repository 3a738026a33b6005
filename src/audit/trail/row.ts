import { parseExact } from './json.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Column values by name; a number that JavaScript cannot hold exactly is the string of its digits. */
export type Values = Readonly<Record<string, Json>>

/**
 * One row of the trail, safe for JSON as it is. Times are ISO 8601 in UTC with microseconds
 * (`2026-11-21T04:05:06.123456Z`); `seq` and `xid` are decimals as strings. The salt is left out: it is
 * part of a proof only.
 */
export interface TrailRow {
  readonly id: string
  readonly createdAt: string
  readonly seq: string
  readonly xid: string
  /** As the application that signed names them: any text. The users of Akashi have uuids. */
  readonly userId: string | null
  readonly sessionId: string | null
  /** The identity provider's subject. */
  readonly subject: string | null
  readonly ipAddress: string | null
  readonly userAgent: string | null
  /** False: userId to tenantId are what the connection claimed, unsigned. */
  readonly contextVerified: boolean
  /** The application whose key signed the context; null unless contextVerified. */
  readonly signedBy: string | null
  /** Who the server says it was. */
  readonly dbUser: string
  /** How the connection authenticated and as whom, such as `scram-sha-256:postgres`; null before PostgreSQL 16. */
  readonly dbSystemUser: string | null
  readonly dbAddress: string | null
  readonly applicationName: string | null
  readonly eventType: string
  readonly action: string
  readonly resource: string | null
  readonly resourceId: string | null
  readonly result: string
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly schema: string | null
  readonly table: string | null
  readonly operation: 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE' | null
  /** How many triggers the change was made inside of; null for none. */
  readonly triggerDepth: number | null
  /** The primary key as text; a JSON array where it has several columns; `sha256:` and hex where it is long. */
  readonly recordId: string | null
  readonly dataSubject: string | null
  /** UPDATE: the changed columns as they were. DELETE: the whole row. */
  readonly oldValues: Values | null
  /** INSERT, UPDATE: the whole row as it became. */
  readonly newValues: Values | null
  readonly changedFields: readonly string[] | null
  readonly detail: Json
  readonly apiEndpoint: string | null
  readonly requestId: string | null
  readonly traceId: string | null
  readonly correlationId: string | null
  readonly applicationVersion: string | null
  readonly tenantId: string | null
  readonly classification: string
  readonly complianceContext: Json
}

/** Select list that gives a {@link StoredRow} from `akashi_audit.audit_logs` under an alias. */
export function rowColumns(alias: string): string {
  return columns.map(([key, column]) => `${alias}.${column} as "${key}"`).join(', ')
}

const columns: readonly (readonly [key: keyof TrailRow, column: string])[] = [
  ['id', 'id'],
  ['createdAt', 'created_at'],
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
