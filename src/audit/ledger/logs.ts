/** The logs of the ledger. Terms: docs/glossary.md */

import { type ColumnForm, logColumns, type PermissionName } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'

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
  columns: logColumns.audit_logs,
}

export const securityEvents: LogDefinition = {
  log: 'security_events',
  schema: 'akashi_security',
  table: 'security_events',
  permission: 'events:read',
  version: 1,
  columns: logColumns.security_events,
}

export const loginAttempts: LogDefinition = {
  log: 'login_attempts',
  schema: 'akashi_auth',
  table: 'login_attempts',
  permission: 'audit_logs:read',
  version: 1,
  columns: logColumns.login_attempts,
}

/** Every log that is sealed, in the order in which they are. */
export const logs: readonly LogDefinition[] = [auditLogs, securityEvents, loginAttempts]

/** The log of that name; `invalid_input` when there is none. */
export function logNamed(name: string): LogDefinition {
  const log = logs.find((each) => each.log === name)
  if (log !== undefined) return log
  throw new AkashiError('invalid_input', `unknown log ${name}`, {
    hint: `the logs are ${logs.map((each) => each.log).join(', ')}`,
  })
}
