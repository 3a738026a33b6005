import { type IClusterEngine, ParameterGroup } from 'aws-cdk-lib/aws-rds'
import type { Construct } from 'constructs'

/** A statement that takes this long is logged, in milliseconds. */
const SLOW_STATEMENT_MS = 3_000

/** The server settings. `crossCheck` turns on the logical replication that compares the trail with the WAL. */
export function serverParameters({ crossCheck }: { crossCheck: boolean }): Record<string, string> {
  return {
    'rds.force_ssl': '1',
    ssl_min_protocol_version: 'TLSv1.2',
    password_encryption: 'scram-sha-256',
    'rds.accepted_password_auth_method': 'scram',
    'rds.logical_replication': crossCheck ? '1' : '0',
    shared_preload_libraries: 'pg_stat_statements,pgaudit',
    // pgaudit blanks passwords; log_statement would write that of each rotation into the log.
    'pgaudit.log': 'ddl,role',
    'pgaudit.role': 'rds_pgaudit',
    log_statement: 'none',
    log_min_duration_statement: String(SLOW_STATEMENT_MS),
    // The values of a slow or failing statement are personal data.
    log_parameter_max_length: '0',
    log_parameter_max_length_on_error: '0',
    log_connections: '1',
    log_disconnections: '1',
    log_lock_waits: '1',
    timezone: 'UTC',
  }
}

export function parameterGroup(
  scope: Construct,
  engine: IClusterEngine,
  crossCheck: boolean,
): ParameterGroup {
  return new ParameterGroup(scope, 'Parameters', {
    engine,
    description: 'TLS only, audited, logged without values',
    parameters: serverParameters({ crossCheck }),
  })
}
