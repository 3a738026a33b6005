import { AkashiError, given } from '../../foundation/index.ts'
import { SQLSTATE, sqlState } from '../sqlstate.ts'
import type { Session } from '../types.ts'
import { asMigrator, lockMigrations, type MigrateOptions, withBriefLocks } from './connection.ts'
import { type Migration, readMigrations, statementsOf } from './files.ts'
import { ensureHistory, pendingMigrations, readHistory, requireSupportedServer } from './history.ts'

export interface MigrateUpOptions extends MigrateOptions {
  /** Last version to apply; default all. */
  readonly to?: number
}

/**
 * Applies the pending migrations, each in one transaction with its row in `akashi_lifecycle.schema_migrations`.
 * Safe to call from several processes at once.
 *
 * @returns the ids applied by this call
 * @throws AkashiError integrity, conflict ({@link pendingMigrations}), or the error of a migration, which names
 *   it; the migrations before it stay applied
 */
export async function migrateUp(options: MigrateUpOptions): Promise<string[]> {
  const files = await readMigrations(options.directory)
  const { to = Number.POSITIVE_INFINITY } = options
  const wanted = (pending: readonly Migration[]) => pending.filter((migration) => migration.version <= to)
  return await asMigrator(options, async (session) => {
    await requireSupportedServer(session)
    // Usually there is nothing to do, and then no lock is needed.
    if (wanted(pendingMigrations(files, await readHistory(session))).length === 0) {
      await recordCatalog(session)
      return []
    }
    await lockMigrations(session)
    await ensureHistory(session)
    const applied: string[] = []
    for (const migration of wanted(pendingMigrations(files, await readHistory(session)))) {
      await apply(session, migration)
      applied.push(migration.id)
    }
    await recordCatalog(session)
    return applied
  })
}

/** Verification reports unrecorded changes of the catalog, so a new database or cluster is recorded. */
async function recordCatalog(session: Session): Promise<void> {
  if (!(await hasFunction(session, 'akashi_audit.record_new_catalog()'))) return
  await session.query('select akashi_audit.use_system_user(), akashi_audit.publish_generated_columns()')
  await session.query('select akashi_audit.record_new_catalog()')
}

async function hasFunction(session: Session, signature: string): Promise<boolean> {
  const { rows } = await session.query<{ known: boolean }>(
    'select to_regprocedure($1) is not null as known',
    [signature],
  )
  return rows[0]?.known === true
}

async function apply(session: Session, migration: Migration): Promise<void> {
  const { id, up } = migration
  try {
    if (up.transactional) {
      await withBriefLocks(session, `migration ${id}`, () => applyInTransaction(session, migration))
    } else {
      for (const statement of statementsOf(id, up)) {
        await session.query(statement)
      }
      await record(session, migration)
    }
  } catch (error) {
    throw failed(id, error)
  }
}

/** Recorded first, so that a second process that gets here fails on the primary key and changes nothing. */
async function applyInTransaction(session: Session, migration: Migration): Promise<void> {
  const transaction = await record(session, migration)
  await session.query(migration.up.sql)
  await requireSameTransaction(session, transaction)
  if (await hasFunction(session, 'akashi_audit.record_migration()'))
    await session.query('select akashi_audit.record_migration()')
}

async function record(session: Session, { version, name, checksum }: Migration): Promise<string | undefined> {
  const { rows } = await session.query<{ xid: string }>(
    `insert into akashi_lifecycle.schema_migrations (version, name, checksum) values ($1, $2, $3)
     returning pg_current_xact_id()::text as xid`,
    [version, name, checksum],
  )
  return rows[0]?.xid
}

/** A file that commits by itself would be half applied if it failed later. */
export async function requireSameTransaction(
  session: Session,
  transaction: string | undefined,
): Promise<void> {
  const { rows } = await session.query<{ xid: string | null }>(
    'select pg_current_xact_id_if_assigned()::text as xid',
  )
  if (rows[0]?.xid !== transaction) {
    throw new AkashiError('integrity', 'it ended its own transaction', {
      hint: 'remove begin, commit and rollback from the file',
    })
  }
}

/** Adds the migration's name. The file is part of Akashi, so the server's message about it is safe to show. */
export function failed(id: string, error: unknown): AkashiError {
  if (!(error instanceof AkashiError)) {
    return new AkashiError('internal', `migration ${id} failed`, { cause: error })
  }
  const state = sqlState(error)
  const reason = state !== undefined && error.cause instanceof Error ? error.cause.message : error.message
  const hint =
    state === SQLSTATE.insufficientPrivilege
      ? 'migrate as a superuser or as a member of akashi_owner'
      : error.hint
  return new AkashiError(error.code, `migration ${id} failed: ${reason}`, {
    ...given({ hint }),
    detail: { ...error.detail, migration: id },
    cause: error,
  })
}
