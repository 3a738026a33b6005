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

/** Tables that hold rows of their own, partitions included; not temporary ones, not the catalog, not our history. */
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
 * Runs a down script inside the open transaction, and refuses when a table with rows would be gone after
 * it. Which tables go is found by running the script and taking it back; those are then locked and looked
 * into, so that no row can come in between, and the script runs for good. Rows of tables that the script
 * declares disposable (settings and lookup rows that the migration itself inserted) do not count. Only
 * whole tables are looked at: what a script deletes row by row or column by column, it says itself.
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
      hint: 'archive or export them first, or say --destroy to lose them',
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

/** An empty file is proof enough; otherwise the rows must be seen, and row-level security may hide them. */
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
    // The script itself may touch tables whose owner is bound by row security.
    await session.query('set local row_security = on')
    return rows[0]?.found !== false
  } catch (error) {
    if (sqlState(error) === SQLSTATE.insufficientPrivilege) {
      throw new AkashiError('conflict', `row security hides whether ${table.plain} has rows`, {
        hint: 'migrate as a superuser, or say --destroy to lose them',
        cause: error,
      })
    }
    throw error
  }
}
