/**
 * The logs of the ledger and the columns that their entries cover.
 *
 * A column's place in the encoding is its name, so adding a column to a table changes no entry of
 * older rows (it is NULL there, and NULLs are left out). Removing or renaming one would: that takes a
 * new encoding version.
 *
 * Terms: docs/glossary.md
 */

import type { PermissionName } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'

/** How a column's value becomes text in the canonical encoding; docs/ledger.md gives each form. */
export type ColumnForm =
  | 'text'
  | 'integer'
  | 'boolean'
  | 'uuid'
  | 'inet'
  | 'json'
  | 'bytes'
  | 'time'
  | 'text[]'

export interface LogDefinition {
  /** Name of the log, e.g. `audit_logs`. */
  readonly log: string
  readonly schema: string
  readonly table: string
  /** Required to read its rows, wherever they are shown. */
  readonly permission: PermissionName
  /** Version of the encoding, part of every entry. */
  readonly version: number
  readonly columns: Readonly<Record<string, ColumnForm>>
}

export const auditLogs: LogDefinition = {
  log: 'audit_logs',
  schema: 'akashi_audit',
  table: 'audit_logs',
  permission: 'audit_logs:read',
  version: 1,
  columns: {
    action: 'text',
    api_endpoint: 'text',
    application_name: 'text',
    application_version: 'text',
    changed_fields: 'text[]',
    compliance_context: 'json',
    context_verified: 'boolean',
    correlation_id: 'text',
    created_at: 'time',
    data_classification: 'text',
    data_subject: 'text',
    db_address: 'inet',
    db_system_user: 'text',
    db_user: 'text',
    detail: 'json',
    error_code: 'text',
    error_message: 'text',
    event_type: 'text',
    id: 'uuid',
    ip_address: 'inet',
    new_values: 'json',
    old_values: 'json',
    operation: 'text',
    record_id: 'text',
    request_id: 'text',
    resource: 'text',
    resource_id: 'text',
    result: 'text',
    salt: 'bytes',
    schema_name: 'text',
    seq: 'integer',
    session_id: 'text',
    signed_by: 'text',
    subject: 'text',
    table_name: 'text',
    tenant_id: 'text',
    trace_id: 'text',
    trigger_depth: 'integer',
    user_agent: 'text',
    user_id: 'text',
    xid: 'integer',
  },
}

export const securityEvents: LogDefinition = {
  log: 'security_events',
  schema: 'akashi_security',
  table: 'security_events',
  permission: 'events:read',
  version: 1,
  columns: {
    action_performed: 'text',
    client_id: 'text',
    client_name: 'text',
    created_at: 'time',
    description: 'text',
    event_category: 'text',
    event_details: 'json',
    event_type: 'text',
    external_user_id: 'text',
    id: 'uuid',
    ocsf_class_uid: 'integer',
    received_at: 'time',
    request_id: 'text',
    resource_id: 'text',
    resource_type: 'text',
    result: 'text',
    salt: 'bytes',
    seq: 'integer',
    session_id: 'text',
    severity: 'text',
    signed_by: 'text',
    source_ip: 'inet',
    source_service: 'text',
    tenant_id: 'text',
    tenant_name: 'text',
    trace_id: 'text',
    user_agent: 'text',
    user_id: 'text',
    user_name: 'text',
    xid: 'integer',
  },
}

export const loginAttempts: LogDefinition = {
  log: 'login_attempts',
  schema: 'akashi_auth',
  table: 'login_attempts',
  permission: 'audit_logs:read',
  version: 1,
  columns: {
    counted: 'boolean',
    created_at: 'time',
    failure_reason: 'text',
    id: 'uuid',
    identifier_hash: 'bytes',
    ip_address: 'inet',
    issuer: 'text',
    method: 'text',
    request_id: 'text',
    result: 'text',
    salt: 'bytes',
    seq: 'integer',
    session_id: 'uuid',
    tenant_id: 'text',
    trace_id: 'text',
    user_agent: 'text',
    user_id: 'uuid',
    xid: 'integer',
  },
}

/** Every log that is sealed, in the order in which they are. */
export const logs: readonly LogDefinition[] = [auditLogs, securityEvents, loginAttempts]

/** The log of that name; `invalid_input` when there is none. */
export function logNamed(name: string): LogDefinition {
  const log = logs.find((each) => each.log === name)
  if (log !== undefined) return log
  throw new AkashiError('invalid_input', `there is no log ${name}`, {
    hint: `the logs are ${logs.map((each) => each.log).join(', ')}`,
  })
}
