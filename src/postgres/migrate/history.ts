import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../types.ts'
import type { Migration } from './files.ts'

/** A row of `akashi_lifecycle.schema_migrations`. */
export interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly appliedAt: string
  readonly appliedBy: string
}

const MIN_SERVER_VERSION = 150_000

export async function requireSupportedServer(session: Session): Promise<void> {
  const { rows } = await session.query<{ version: number; name: string; encoding: string }>(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as name,
            current_setting('server_encoding') as encoding`,
  )
  const server = rows[0]
  if (server === undefined || server.version < MIN_SERVER_VERSION) {
    throw new AkashiError('unsupported', `the server is PostgreSQL ${server?.name ?? 'unknown'}`, {
      hint: 'PostgreSQL 15 or newer is needed',
    })
  }
  // Lengths in the ledger's encoding are those of UTF-8, and other encodings lack characters that it has to keep.
  if (server.encoding !== 'UTF8') {
    throw new AkashiError('unsupported', `the database has the encoding ${server.encoding}`, {
      hint: 'create it with encoding UTF8, such as: create database akashi encoding UTF8 template template0',
    })
  }
}

/** Created by the runner, since the first migration is recorded like every other. */
export async function ensureHistory(session: Session): Promise<void> {
  if (await hasHistory(session)) {
    return
  }
  await session.query('create schema if not exists akashi_lifecycle')
  await session.query(`
    create table if not exists akashi_lifecycle.schema_migrations (
      version    int primary key,
      name       text not null,
      checksum   text not null,
      applied_at timestamptz not null default now(),
      applied_by text not null default session_user
    )`)
}

export async function readHistory(session: Session): Promise<AppliedMigration[]> {
  await refuseFormerDatabase(session)
  if (!(await hasHistory(session))) {
    return []
  }
  const { rows } = await session.query<AppliedMigration>(`
    select version, name, checksum, applied_at as "appliedAt", applied_by as "appliedBy"
    from akashi_lifecycle.schema_migrations order by version`)
  return rows
}

/**
 * Refuses a database from before the first release, whose history is in a former schema. Reads only the
 * catalog, so that any login can check.
 *
 * @throws AkashiError conflict
 */
export async function refuseFormerDatabase(session: Session): Promise<void> {
  const { rows } = await session.query<{ former: boolean }>(`
    select exists (
      select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'lifecycle' and n.nspowner = to_regrole('akashi_owner') and c.relname = 'schema_migrations'
    ) as former`)
  if (rows[0]?.former === true) {
    throw new AkashiError(
      'conflict',
      'the database was created before the first release and cannot be upgraded to this version',
      {
        hint: 'start with a new data folder (--data) or a new database; export the data with the version that created it',
      },
    )
  }
}

async function hasHistory(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ present: boolean }>(
    `select to_regclass('akashi_lifecycle.schema_migrations') is not null as present`,
  )
  return rows[0]?.present === true
}

/**
 * The migrations still to apply, after checking that the database was built from these files.
 *
 * @throws AkashiError integrity when an applied file was changed or removed; conflict when the database is
 *   newer than the files, or when a file was added before an applied one
 */
export function pendingMigrations(
  files: readonly Migration[],
  applied: readonly AppliedMigration[],
): Migration[] {
  const byVersion = new Map(files.map((file) => [file.version, file]))
  const newestFile = files.at(-1)?.version ?? 0
  const newestApplied = applied.at(-1)?.version ?? 0
  for (const row of applied) {
    const file = byVersion.get(row.version)
    const id = `${String(row.version).padStart(6, '0')}_${row.name}`
    if (file === undefined) {
      throw row.version > newestFile
        ? new AkashiError('conflict', `the database has migration ${id}, which this program does not know`, {
            hint: 'run the version of akashi that applied it, or a newer one',
          })
        : new AkashiError('integrity', `the file of the applied migration ${id} is missing`, {
            hint: restoreHint,
          })
    }
    if (file.checksum !== row.checksum) {
      throw new AkashiError('integrity', `the applied migration ${id} was changed afterwards`, {
        hint: restoreHint,
      })
    }
  }
  const done = new Set(applied.map((row) => row.version))
  const pending = files.filter((file) => !done.has(file.version))
  const late = pending.find((file) => file.version < newestApplied)
  if (late !== undefined) {
    throw new AkashiError('conflict', `migration ${late.id} is older than what the database has`, {
      hint: 'give it the next free number; every database applies the same files in the same order',
    })
  }
  return pending
}

const restoreHint = 'restore the file from version control; change the schema with a new migration'
