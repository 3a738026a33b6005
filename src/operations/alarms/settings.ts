import type { Actor, Database } from '../../postgres/index.ts'

/** The limits of alarms, as the database has them. */
export interface AlarmSettings {
  readonly connectionsPercent: number
  readonly statementSeconds: number
  readonly deadlockMinutes: number
  readonly replicationLagMb: number
  readonly walKeptMb: number
  readonly frontierSeconds: number
  readonly publishMinutes: number
  readonly witnessMinutes: number
  readonly verificationHours: number
  readonly uncheckedDays: number
  readonly archiveDays: number
  readonly loginFailures: number
  readonly certificateDays: number
  readonly clockSkewSeconds: number
  readonly transactionAgeMillions: number
}

export async function readAlarmSettings(database: Database, actor: Actor): Promise<AlarmSettings> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<AlarmSettings>(
        `select akashi_lifecycle.setting('alarm.connections_percent')::float8 as "connectionsPercent",
                akashi_lifecycle.setting('alarm.statement_seconds')::float8 as "statementSeconds",
                akashi_lifecycle.setting('alarm.deadlock_minutes')::float8 as "deadlockMinutes",
                akashi_lifecycle.setting('alarm.replication_lag_mb')::float8 as "replicationLagMb",
                akashi_lifecycle.setting('alarm.wal_kept_mb')::float8 as "walKeptMb",
                akashi_lifecycle.setting('alarm.frontier_seconds')::float8 as "frontierSeconds",
                akashi_lifecycle.setting('alarm.publish_minutes')::float8 as "publishMinutes",
                akashi_lifecycle.setting('alarm.witness_minutes')::float8 as "witnessMinutes",
                akashi_lifecycle.setting('alarm.verification_hours')::float8 as "verificationHours",
                akashi_lifecycle.setting('alarm.unchecked_days')::float8 as "uncheckedDays",
                akashi_lifecycle.setting('alarm.archive_days')::float8 as "archiveDays",
                akashi_lifecycle.setting('alarm.login_failures')::float8 as "loginFailures",
                akashi_lifecycle.setting('alarm.certificate_days')::float8 as "certificateDays",
                akashi_lifecycle.setting('alarm.clock_skew_seconds')::float8 as "clockSkewSeconds",
                akashi_lifecycle.setting('alarm.transaction_age_millions')::float8 as "transactionAgeMillions"`,
      ),
    { readOnly: true },
  )
  const [settings] = rows
  if (settings === undefined) throw new Error('a select without a table returns one row')
  return settings
}
