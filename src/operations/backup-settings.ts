import type { Actor, Database } from '../postgres/index.ts'

/** The database's settings for backups. */
export interface BackupSettings {
  readonly retentionDays: number
  /** Hours that incrementals are kept which only save the replay of WAL. */
  readonly incrementalHours: number
  /** Nothing is removed: by legal hold, or because people have not approved it who have to. */
  readonly hold: boolean
  /** Days that audit copies are kept in the hot tier and in the cold tier. */
  readonly auditNearDays: number
  readonly auditColdDays: number
  /** Bytes of WAL that may wait for the object store. */
  readonly walLimitBytes: number
  /** Age of the newest backup above which the alarm is raised. */
  readonly maxAgeHours: number
  /** Age of the latest moment that can be restored above which the alarm is raised. */
  readonly maxLagMinutes: number
  /** Percent of the embedded server's disk above which the alarm is raised. */
  readonly maxDiskPercent: number
  /** Public keys in addition to the keyring's own. */
  readonly recipients: readonly string[]
}

/** @param database of a role that reads settings */
export async function readBackupSettings(
  database: Pick<Database, 'transaction'>,
  actor: Actor,
): Promise<BackupSettings> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<BackupSettings>(
        `select akashi_lifecycle.setting('backup.retention_days')::integer as "retentionDays",
                akashi_lifecycle.setting('backup.incremental_hours')::integer as "incrementalHours",
                akashi_lifecycle.setting('backup.hold')::boolean
                  or not akashi_auth.is_approved('prune_backups', '') as hold,
                akashi_lifecycle.setting('backup.audit_near_days')::integer as "auditNearDays",
                akashi_lifecycle.setting('backup.audit_cold_days')::integer as "auditColdDays",
                akashi_lifecycle.setting('backup.wal_limit_mb')::float8 * 1048576 as "walLimitBytes",
                akashi_lifecycle.setting('backup.max_age_hours')::integer as "maxAgeHours",
                akashi_lifecycle.setting('backup.max_lag_minutes')::integer as "maxLagMinutes",
                akashi_lifecycle.setting('disk.max_used_percent')::integer as "maxDiskPercent",
                akashi_lifecycle.setting('backup.recipients') as recipients`,
      ),
    { readOnly: true },
  )
  const [settings] = rows
  if (settings === undefined) throw new Error('a select without a table returns one row')
  return settings
}
