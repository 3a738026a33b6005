/**
 * The columns that the entries of each log cover, by which servers and browsers compute the same hashes.
 *
 * A column's place in the encoding is its name, so adding a column to a table changes no entry of
 * older rows (it is NULL there, and NULLs are left out). Removing or renaming one would: that takes a
 * new encoding version.
 */

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

export const logColumns = {
  audit_logs: {
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
  security_events: {
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
  login_attempts: {
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
} as const satisfies Readonly<Record<string, Readonly<Record<string, ColumnForm>>>>
