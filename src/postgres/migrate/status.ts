import { asMigrator, type MigrateOptions } from './connection.ts'
import { readMigrations } from './files.ts'
import { type AppliedMigration, pendingMigrations, readHistory } from './history.ts'

export interface MigrationStatus {
  readonly applied: readonly AppliedMigration[]
  /** Ids in the order in which they would be applied. */
  readonly pending: readonly string[]
}

/** Read-only. @throws AkashiError integrity or conflict when the database was not built from these files */
export async function migrationStatus(options: MigrateOptions): Promise<MigrationStatus> {
  const files = await readMigrations(options.directory)
  return await asMigrator(options, async (session) => {
    const applied = await readHistory(session)
    return { applied, pending: pendingMigrations(files, applied).map((migration) => migration.id) }
  })
}
