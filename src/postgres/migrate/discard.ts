import { AkashiError } from '../../foundation/index.ts'
import { SQLSTATE, sqlState } from '../sqlstate.ts'
import type { Session } from '../types.ts'
import type { Script } from './files.ts'

interface Table {
  readonly oid: number
  /** Quoted `schema.table`. */
  readonly name: string
  /** `schema.table` unquoted, and of the topmost parent where the table is a partition. */
  readonly plain: string
  readonly root: string
}

/** Tables that store rows, partitions included, except temporary tables, the catalog and the migration history. */
const listTables = `
  select c.oid, format('%I.%I', n.nspname, c.relname) as name,
         n.nspname || '.' || c.relname as plain,
         coalesce(rn.nspname || '.' || r.relname, n.nspname || '.' || c.relname) as root
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_class r on c.relispartition and r.oid = pg_partition_root(c.oid)
  left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
  where c.relkind = 'r' and c.relpersistence <> 't'
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.oid is distinct from to_regclass('akashi_lifecycle.schema_migrations')`

async function tables(session: Session): Promise<Table[]> {
  const { rows } = await session.query<Table>(listTables)
  return rows
}

/**
 * Runs a down script inside the open transaction, and refuses to drop a table that has rows. To find the tables
 * that it drops, the script first runs up to a savepoint that is rolled back. Those tables are then locked and
 * checked, so that no row can arrive in between, and the script runs again. Rows of tables that the script
 * declares disposable (settings and lookup rows that the migration inserted) do not count. Deleted rows and
 * dropped columns are not detected.
 */
export async function runKeepingRows(session: Session, script: Script): Promise<void> {
  const before = await tables(session)
  await session.query('savepoint trial')
  await session.query(script.sql)
  const doomed = await vanished(session, before)
  await session.query('rollback to savepoint trial')

  const full: string[] = []
  for (const table of doomed) {
    if (script.disposable.includes(table.plain) || script.disposable.includes(table.root)) {
      continue
    }
    await session.query(`lock table only ${table.name} in access exclusive mode`)
    if (await hasRows(session, table)) {
      full.push(table.plain)
    }
  }
  if (full.length > 0) {
    throw new AkashiError('conflict', `it would discard the rows of ${full.join(', ')}`, {
      hint: 'archive or export them first, or pass --destroy to delete them',
      detail: { tables: full },
    })
  }

  await session.query(script.sql)
  const expected = new Set(doomed.map((table) => table.oid))
  const surprise = (await vanished(session, before)).find((table) => !expected.has(table.oid))
  if (surprise !== undefined) {
    throw new AkashiError('conflict', `it would drop ${surprise.plain} the second time but not the first`, {
      hint: 'try again while nothing else changes the schema',
    })
  }
}

async function vanished(session: Session, before: readonly Table[]): Promise<Table[]> {
  const left = new Set((await tables(session)).map((table) => table.oid))
  return before.filter((table) => !left.has(table.oid))
}

/** An empty file means no rows; otherwise the table is read, and row-level security may hide rows. */
async function hasRows(session: Session, table: Table): Promise<boolean> {
  const size = await session.query<{ empty: boolean }>('select pg_relation_size($1::oid) = 0 as empty', [
    table.oid,
  ])
  if (size.rows[0]?.empty === true) {
    return false
  }
  try {
    await session.query('set local row_security = off')
    const { rows } = await session.query<{ found: boolean }>(
      `select exists (select from only ${table.name}) as found`,
    )
    // The script itself may use tables whose owner is subject to row-level security.
    await session.query('set local row_security = on')
    return rows[0]?.found !== false
  } catch (error) {
    if (sqlState(error) === SQLSTATE.insufficientPrivilege) {
      throw new AkashiError('conflict', `row security hides whether ${table.plain} has rows`, {
        hint: 'migrate as a superuser, or pass --destroy to delete them',
        cause: error,
      })
    }
    throw error
  }
}
