/** The tables that a query can read, with their exports and partitions. */
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { identifier } from '../archive/quote.ts'
import { logOf } from '../archive/source.ts'

export interface TableName {
  readonly schema: string
  readonly table: string
}

/** The parts of created_at that a query finds as columns, as text, like the folders of the archive. */
export const DATE_PARTS = ['year', 'month', 'day'] as const

export interface QueryTable extends TableName {
  /** Those of {@link DATE_PARTS} that are columns of the table itself, which then mean those columns. */
  readonly ownDateParts: readonly string[]
}

/** Bounds are ISO 8601 in UTC as PostgreSQL writes them, and the same as microseconds; `to` is exclusive. */
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
  readonly exports: readonly ColdExport[]
  readonly partitions: readonly Partition[]
}

/** Partitioned tables that this login may read, by name. One in a schema that it may not enter hides no other. */
export async function listTables(session: Session): Promise<QueryTable[]> {
  const { rows } = await session.query<QueryTable>(
    `select p.schema_name as schema, p.table_name as "table",
            array(select lower(a.attname) from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and lower(a.attname) = any ($1)) as "ownDateParts"
     from akashi_lifecycle.policies p
     join pg_catalog.pg_namespace n on n.nspname = p.schema_name
     join pg_catalog.pg_class c on (c.relnamespace, c.relname) = (n.oid, p.table_name)
     where has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
     order by p.schema_name, p.table_name`,
    [DATE_PARTS],
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
 * Keeps the partitions of a table as they are until the transaction ends: a detach waits for this lock.
 *
 * @returns false when partitions came or went between the transaction's snapshot and the lock: the snapshot then
 *   has another list than the server reads rows from, and a new transaction is needed
 */
export async function holdPartitions(session: Session, { schema, table }: TableName): Promise<boolean> {
  const relation = `${identifier(schema)}.${identifier(table)}`
  await session.query('select akashi_audit.assert_unfiltered($1::regclass)', [relation])
  await session.query(`lock table only ${relation} in access share mode`)
  const { rows } = await session.query<{ same: boolean }>(
    // The function reads the catalog as it is now, the table as it was when the snapshot was taken.
    `select array(select t.relid::oid from pg_catalog.pg_partition_tree($1::regclass) t where t.level = 1 order by 1)
          = array(select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = $1::regclass order by 1) as same`,
    [relation],
  )
  return rows[0]?.same === true
}

/** Where the rows of a table are, in the transaction's snapshot. */
export async function placementOf(session: Session, { schema, table }: TableName): Promise<Placement> {
  const { rows: partitions } = await session.query<Partition>(partitionsSql, [schema, table])
  if (partitions.some(({ from, to }) => from === null || to === null)) {
    throw new AkashiError('unsupported', `${schema}.${table} has a partition without bounds`, {
      hint: 'move the rows of its default partition first',
    })
  }
  const logged = logOf(schema, table) !== null
  const { rows: exports } = await session.query<ColdExport>(exportsSql, [schema, table])
  // Rows of a table without a log may change as long as it has them.
  return { partitions, exports: exports.filter(({ attached }) => logged || !attached) }
}
