import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../types.ts'
import { asMigrator, lockMigrations, type MigrateOptions, withBriefLocks } from './connection.ts'
import { runKeepingRows } from './discard.ts'
import { type Migration, readMigrations, statementsOf } from './files.ts'
import { pendingMigrations, readHistory, requireSupportedServer } from './history.ts'
import { failed, requireSameTransaction } from './up.ts'

export interface MigrateDownOptions extends MigrateOptions {
  /** How many migrations to revert, newest first; a larger number than there are reverts all. */
  readonly steps: number
  /** Drops tables even if they have rows. */
  readonly destroy?: boolean
}

/**
 * Reverts the newest migrations, each in one transaction.
 *
 * @returns the ids reverted by this call
 * @throws AkashiError conflict when rows would be lost and `destroy` is not set; integrity as in {@link pendingMigrations}
 */
export async function migrateDown(options: MigrateDownOptions): Promise<string[]> {
  const { steps, destroy = false } = options
  if (!Number.isInteger(steps) || steps < 1) {
    throw new AkashiError('invalid_input', 'the number of migrations to revert is not a positive integer')
  }
  const files = await readMigrations(options.directory)
  return await asMigrator(options, async (session) => {
    await requireSupportedServer(session)
    await lockMigrations(session)
    const applied = await readHistory(session)
    pendingMigrations(files, applied)
    const newest = applied.slice(-steps).reverse()
    const reverted: string[] = []
    for (const { version } of newest) {
      const migration = files.find((file) => file.version === version)
      if (migration !== undefined) {
        await revert(session, migration, destroy)
        reverted.push(migration.id)
      }
    }
    return reverted
  })
}

async function revert(session: Session, migration: Migration, destroy: boolean): Promise<void> {
  const { id, down } = migration
  try {
    if (down.transactional) {
      await withBriefLocks(session, `reverting ${id}`, async () => {
        const transaction = await forget(session, migration)
        await (destroy ? session.query(down.sql) : runKeepingRows(session, down))
        await requireSameTransaction(session, transaction)
      })
    } else {
      for (const statement of statementsOf(id, down)) {
        await session.query(statement)
      }
      await forget(session, migration)
    }
  } catch (error) {
    throw failed(id, error)
  }
}

async function forget(session: Session, { version }: Migration): Promise<string | undefined> {
  const { rows } = await session.query<{ xid: string }>(
    'delete from akashi_lifecycle.schema_migrations where version = $1 returning pg_current_xact_id()::text as xid',
    [version],
  )
  return rows[0]?.xid
}
