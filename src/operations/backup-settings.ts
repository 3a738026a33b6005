import { anonymous, type Database } from '../postgres/index.ts'

/** What the settings of the database say about backups. */
export interface BackupSettings {
  readonly retentionDays: number
  readonly hold: boolean
  /** Days that copies of the audit log are kept, at hand and on the cold tier. */
  readonly auditNearDays: number
  readonly auditColdDays: number
  /** Public keys beside the keyring's own. */
  readonly recipients: readonly string[]
}

/** @param database of a role that reads settings */
export async function readBackupSettings(database: Database): Promise<BackupSettings> {
  const { rows } = await database.transaction(
    anonymous,
    (session) =>
      session.query<BackupSettings>(
        `select (select value::integer from lifecycle.settings where key = 'backup.retention_days') as "retentionDays",
                (select value::boolean from lifecycle.settings where key = 'backup.hold') as hold,
                (select value::integer from lifecycle.settings where key = 'backup.audit_near_days') as "auditNearDays",
                (select value::integer from lifecycle.settings where key = 'backup.audit_cold_days') as "auditColdDays",
                (select value from lifecycle.settings where key = 'backup.recipients') as recipients`,
      ),
    { readOnly: true },
  )
  const [settings] = rows
  if (settings === undefined) throw new Error('a select without a table answers one row')
  return settings
}
