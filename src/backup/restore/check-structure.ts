/** Checks all tables and indexes of a database with amcheck, and its foreign keys for rows that refer to none. */
import { AkashiError, counted, given } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'

export interface StructureCheck {
  readonly tables: number
  readonly indexes: number
  readonly foreignKeys: number
  /** `schema.relation: what is wrong`, the first of each relation. */
  readonly problems: readonly string[]
}

const relations = `
  select format('%I.%I', n.nspname, c.relname) as name, c.oid::bigint::float8 as oid,
         c.relkind in ('r', 'm', 't') as "isTable"
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_index i on i.indexrelid = c.oid left join pg_am a on a.oid = c.relam
  where c.relpersistence = 'p' and (c.relkind in ('r', 'm', 't') or (c.relkind = 'i' and a.amname = 'btree' and i.indisvalid))
  order by 1`

// Only keys whose types and operators are built in: others would run code of the role that created them.
const foreignKeys = `
  select format('%s %I', c.conrelid::regclass, c.conname) as name, c.conrelid::regclass::text as child,
         c.confrelid::regclass::text as parent, pair.present, pair.equal
  from pg_constraint c
  cross join lateral (
    select string_agg(format('c.%I is not null', a.attname), ' and ') as present,
           string_agg(format('p.%I operator(pg_catalog.%s) c.%I', b.attname, o.oprname, a.attname), ' and ') as equal,
           bool_and(o.oprnamespace = 'pg_catalog'::regnamespace and t.typnamespace = 'pg_catalog'::regnamespace) as plain
    from unnest(c.conkey, c.confkey, c.conpfeqop) as k (own, other, operator)
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.own
    join pg_attribute b on b.attrelid = c.confrelid and b.attnum = k.other
    join pg_operator o on o.oid = k.operator
    join pg_type t on t.oid = a.atttypid
  ) pair
  where c.contype = 'f' and c.convalidated and c.conparentid = 0 and pair.plain
  order by 1`

/** @param database of a superuser; creates the extension amcheck if missing */
export async function checkStructure(database: Database, signal?: AbortSignal): Promise<StructureCheck> {
  return await database.direct(
    async (session) => {
      await session.query('create extension if not exists amcheck schema pg_catalog')
      const { rows } = await session.query<{ name: string; oid: number; isTable: boolean }>(relations)
      const problems: string[] = []
      for (const { name, oid, isTable } of rows) {
        const problem = isTable
          ? (
              await session.query<{ problem: string }>(
                `select format('block %s: %s', blkno, msg) as problem
                 from verify_heapam($1::oid::regclass, on_error_stop := true, check_toast := true) limit 1`,
                [oid],
              )
            ).rows[0]?.problem
          : await session
              .query('select bt_index_check($1::oid::regclass, heapallindexed => true)', [oid])
              .then(() => undefined, damageOf)
        if (problem !== undefined) problems.push(`${name}: ${problem}`)
      }
      const { rows: keys } = await session.query<{
        name: string
        child: string
        parent: string
        present: string
        equal: string
      }>(foreignKeys)
      for (const { name, child, parent, present, equal } of keys) {
        const orphans = await session.query<{ count: number }>(
          `select count(*)::float8 as count from ${child} c
           where ${present} and not exists (select from ${parent} p where ${equal})`,
        )
        const count = orphans.rows[0]?.count ?? 0
        if (count > 0)
          problems.push(`${name}: ${counted(count, 'row')} without a referenced row in ${parent}`)
      }
      return {
        foreignKeys: keys.length,
        tables: rows.filter(({ isTable }) => isTable).length,
        indexes: rows.filter(({ isTable }) => !isTable).length,
        problems,
      }
    },
    given({ timeoutMs: 0, signal }),
  )
}

/** amcheck reports index damage as errors of class XX (index_corrupted, data_corrupted). */
function damageOf(error: unknown): string {
  if (error instanceof AkashiError && !['cancelled', 'unavailable', 'timeout'].includes(error.code)) {
    return error.message
  }
  throw error
}
