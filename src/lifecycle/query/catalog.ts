/** The tables that a query can read, with their exports and partitions. */
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { identifier } from '../archive/quote.ts'
import { logOf } from '../archive/source.ts'

export interface TableName {
  readonly schema: string
  readonly table: string
}

/** Bounds in ISO 8601 in UTC, and as microseconds; `to` is exclusive. */
interface Period {
  readonly from: string
  readonly to: string
  readonly fromMicros: string
  readonly toMicros: string
}

export interface ColdExport extends Period {
  readonly partition: string
  readonly manifest: string
  readonly manifestSha256: string
  readonly rows: number
  readonly upto: readonly string[] | null
  readonly attached: boolean
}

export interface Partition extends Period {
  readonly name: string
}

export interface Placement {
  /** Exports that no later one replaces. */
  readonly exports: readonly ColdExport[]
  readonly partitions: readonly Partition[]
}

/** Partitioned tables that this login can read completely, ordered by name. */
export async function listTables(session: Session): Promise<TableName[]> {
  const { rows } = await session.query<TableName>(
    `select p.schema_name as schema, p.table_name as "table"
     from akashi_lifecycle.policies p, to_regclass(format('%I.%I', p.schema_name, p.table_name)) as r (relation)
     where relation is not null and has_table_privilege(relation, 'select')
     order by p.schema_name, p.table_name`,
  )
  return rows
}

const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::numeric(30, 0)::text`
const iso = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

const exportsSql = `
  select partition_name as partition, ${iso('lower_bound')} as "from", ${iso('upper_bound')} as "to",
         ${micros('lower_bound')} as "fromMicros", ${micros('upper_bound')} as "toMicros",
         manifest, manifest_sha256 as "manifestSha256", row_count::float8 as rows, upto_key as upto, state = 'verified' as attached
  from akashi_lifecycle.exports e
  where (schema_name, table_name) = ($1, $2) and state in ('verified', 'detached', 'dropped')
    -- Without a log, an export contains all rows of its table and replaces earlier ones.
    and ($3 or not exists (
      select from akashi_lifecycle.exports n
      where (n.schema_name, n.table_name, n.lower_bound, n.upper_bound) = (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
        and n.generation > e.generation and n.state <> 'exporting' and (e.dropped_at is null or n.created_at < e.dropped_at)))
  order by lower_bound, generation`

/** Like akashi_lifecycle.partition_bounds, without a call for each partition. */
const partitionsSql = `
  select name, ${iso('lower')} as "from", ${iso('upper')} as "to", ${micros('lower')} as "fromMicros", ${micros('upper')} as "toMicros"
  from (
    select name, coalesce(bound[1], case when bound[2] is not null then '-infinity' end)::timestamptz as lower,
           coalesce(bound[3], case when bound[4] is not null then 'infinity' end)::timestamptz as upper
    from (
      select c.relname as name, regexp_match(pg_get_expr(c.relpartbound, c.oid),
        '^FOR VALUES FROM \\((?:''([^'']*)''|(MINVALUE))\\) TO \\((?:''([^'']*)''|(MAXVALUE))\\)$') as bound
      from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
      where i.inhparent = format('%I.%I', $1::text, $2::text)::regclass
    ) text
  ) bounds
  order by lower`

/**
 * Locates the rows of a table. Its lock delays detaching, so that no rows leave PostgreSQL until the transaction ends.
 * Rows exported meanwhile stay in PostgreSQL too.
 */
export async function placementOf(session: Session, { schema, table }: TableName): Promise<Placement> {
  const relation = `${identifier(schema)}.${identifier(table)}`
  await session.query('select akashi_audit.assert_unfiltered($1::regclass)', [relation])
  await session.query(`lock table only ${relation} in access share mode`)
  const { rows: partitions } = await session.query<Partition>(partitionsSql, [schema, table])
  if (partitions.some(({ from, to }) => from === null || to === null)) {
    throw new AkashiError('unsupported', `${schema}.${table} has a partition without bounds`, {
      hint: 'move the rows of its default partition first',
    })
  }
  const logged = logOf(schema, table) !== null
  const { rows: exports } = await session.query<ColdExport>(exportsSql, [schema, table, logged])
  // Rows of a table without a log may change while they are in it.
  return { partitions, exports: exports.filter(({ attached }) => logged || !attached) }
}
