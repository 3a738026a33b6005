/** The definition of a table, read from the catalogs of the scratch server. */
import { AkashiError, type TableName, tableText } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'

export interface Column {
  readonly name: string
  /** As in `create table`, with length or precision. */
  readonly type: string
  readonly notNull: boolean
  /** Quoted, with schema; null for the default of the type. */
  readonly collation: string | null
  readonly generated: boolean
  /** The sequence of an identity or serial column. */
  readonly sequence: { readonly last: string | null; readonly isCalled: boolean } | null
}

export interface Shape {
  readonly oid: number
  readonly owner: string
  readonly columns: readonly Column[]
  /** The table itself, or the partitions with its rows. */
  readonly leaves: readonly number[]
  /** `primary key (id)`, `unique (a, b)`: constraints with an index, as in `alter table add`. */
  readonly constraints: readonly { readonly name: string; readonly definition: string }[]
  /** `definition` is the part after `on <table>`. */
  readonly indexes: readonly {
    readonly name: string
    readonly unique: boolean
    readonly definition: string
  }[]
  readonly foreignKeys: readonly { readonly name: string; readonly definition: string }[]
}

const tables = `
  select c.oid::bigint::float8 as oid, pg_get_userbyid(c.relowner) as owner
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where (n.nspname, c.relname) = ($1, $2) and c.relkind in ('r', 'p', 'm')`

const leaves = `
  select t.relid::oid::bigint::float8 as oid from pg_partition_tree($1::oid) t
  join pg_class c on c.oid = t.relid where t.isleaf and c.relkind = 'r'`

const columns = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as "notNull",
         case when a.attcollation <> 0 and a.attcollation <> t.typcollation
              then (select format('%I.%I', n.nspname, l.collname) from pg_collation l
                    join pg_namespace n on n.oid = l.collnamespace where l.oid = a.attcollation) end as collation,
         a.attgenerated <> '' as generated,
         pg_get_serial_sequence(format('%I.%I', $2::text, $3::text), a.attname) as "sequenceName"
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum`

const constraints = `
  select conname as name, contype as kind, pg_get_constraintdef(oid) as definition
  from pg_constraint where conrelid = $1 and contype in ('p', 'u', 'f') order by contype, conname`

/** Strips the part before USING by its length, since it contains names that may contain anything. */
const indexes = `
  select i.relname as name, x.indisunique as unique,
         substr(pg_get_indexdef(i.oid), length(format('CREATE %sINDEX %s ON %s%s.%s ',
           case when x.indisunique then 'UNIQUE ' else '' end, quote_ident(i.relname),
           case when i.relkind = 'I' then 'ONLY ' else '' end, quote_ident($2::text), quote_ident($3::text))) + 1) as definition
  from pg_index x join pg_class i on i.oid = x.indexrelid
  where x.indrelid = $1 and not exists (select from pg_constraint c where c.conindid = x.indexrelid and c.contype in ('p', 'u', 'x'))
  order by 1`

/** @throws not_found if there was no such table */
export async function readShape(session: Session, table: TableName): Promise<Shape> {
  const { rows: found } = await session.query<{ oid: number; owner: string }>(tables, [
    table.schema,
    table.table,
  ])
  const [own] = found
  if (own === undefined) {
    throw new AkashiError('not_found', `table ${tableText(table)} did not exist at that moment`, {
      hint: 'choose another moment with --at, or write the name as schema.table',
    })
  }
  const { rows: parts } = await session.query<{ oid: number }>(leaves, [own.oid])
  const named = [own.oid, table.schema, table.table]
  const { rows: found1 } = await session.query<Omit<Column, 'sequence'> & { sequenceName: string | null }>(
    columns,
    named,
  )
  const withSequences: Column[] = []
  for (const { sequenceName, ...column } of found1) {
    const sequence = sequenceName === null ? null : await readSequence(session, sequenceName)
    withSequences.push({ ...column, sequence })
  }
  const { rows: made } = await session.query<{ name: string; kind: string; definition: string }>(
    constraints,
    [own.oid],
  )
  const { rows: others } = await session.query<Shape['indexes'][number]>(indexes, named)
  const described = (kinds: string) =>
    made.flatMap(({ name, kind, definition }) => (kinds.includes(kind) ? [{ name, definition }] : []))
  return {
    ...own,
    columns: withSequences,
    leaves: parts.length === 0 ? [own.oid] : parts.map(({ oid }) => oid),
    constraints: described('pu'),
    indexes: others,
    foreignKeys: described('f'),
  }
}

async function readSequence(session: Session, name: string): Promise<Column['sequence']> {
  const { rows } = await session.query<{ last: string; isCalled: boolean }>(
    `select last_value::text as last, is_called as "isCalled" from ${name}`,
  )
  return rows[0] ?? null
}
