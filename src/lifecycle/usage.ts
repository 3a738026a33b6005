/** What is stored of each tenant: rows, bytes, age and cost. */
import type { TenantUsage } from '@akashi/contract'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { type GroupColumns, readGroupColumns } from './archive/groups.ts'
import { MAX_GROUPS } from './archive/limits.ts'
import { identifier } from './archive/quote.ts'
import { tokyo } from './cost/index.ts'

const BYTES_A_GB = 1e9

interface Found {
  readonly table: string
  readonly tenant: string | null
  readonly class: string | null
  readonly gathered: boolean
  readonly databaseRows: number
  readonly databaseBytes: number
  readonly archivedRows: number
  readonly archivedBytes: number
  readonly copiedBytes: number
  readonly oldest: string | null
  readonly newest: string | null
}

/**
 * Rows in PostgreSQL and in the archive by table, tenant and class, the largest first. Rows that are not exported yet
 * are counted now, the others were counted when they were exported. Bytes of a partition and of an export are shared by
 * rows.
 *
 * @param worker of the role `worker`, which reads every archived table
 */
export async function tenantUsage(
  worker: Database,
  actor: Actor,
  { tenant, signal }: { readonly tenant?: string; readonly signal?: AbortSignal } = {},
): Promise<TenantUsage[]> {
  const found = await worker.transaction(actor, readUsage, {
    readOnly: true,
    ...(signal === undefined ? {} : { signal }),
  })
  return found
    .filter((each) => tenant === undefined || each.tenant === tenant)
    .map(withCost)
    .toSorted((a, b) => b.monthlyDollars - a.monthlyDollars)
}

function withCost({ gathered, ...found }: Found): TenantUsage {
  const database = (found.databaseBytes / BYTES_A_GB) * tokyo.databaseGbMonth
  const store = ((found.archivedBytes + found.copiedBytes) / BYTES_A_GB) * tokyo.storage.standard.gbMonth
  return { ...found, others: gathered, monthlyDollars: database + store }
}

const exportedSql = `
  select schema_name || '.' || table_name as "table", tenant, class, gathered, database_rows::float8 as "databaseRows",
         database_bytes::float8 as "databaseBytes", archived_rows::float8 as "archivedRows", archived_bytes::float8 as "archivedBytes",
         copied_bytes::float8 as "copiedBytes", oldest, newest
  from akashi_lifecycle.tenant_usage`

/** Partitions with rows that are not exported yet. */
const openSql = `
  select p.schema_name as schema, p.table_name as "table", b.lower as "from", b.upper as "to", pg_total_relation_size(c.oid)::float8 as bytes
  from akashi_lifecycle.policies p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class t on (t.relnamespace, t.relname) = (n.oid, p.table_name)
  join pg_catalog.pg_inherits i on i.inhparent = t.oid
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
  where p.at_expiry = 'archive' and has_table_privilege(t.oid, 'select') and pg_relation_size(c.oid) > 0
    and b.lower is not null and not exists (
      select from akashi_lifecycle.exports e
      where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound) = (p.schema_name, p.table_name, b.lower, b.upper) and e.state = 'verified')
  order by 1, 2, 3`

interface OpenPartition {
  readonly schema: string
  readonly table: string
  readonly from: string
  readonly to: string
  readonly bytes: number
}

async function readUsage(session: Session): Promise<Found[]> {
  const { rows: exported } = await session.query<Found>(exportedSql)
  const { rows: open } = await session.query<OpenPartition>(openSql)
  const found = [...exported]
  for (const partition of open) found.push(...(await countOpen(session, partition)))
  const sums = new Map<string, Found>()
  for (const each of found) {
    const key = JSON.stringify([each.table, each.tenant, each.class, each.gathered])
    const sum = sums.get(key)
    sums.set(key, sum === undefined ? each : together(sum, each))
  }
  return [...sums.values()]
}

function together(a: Found, b: Found): Found {
  const times = (name: 'oldest' | 'newest') =>
    [a[name], b[name]].filter((time) => time !== null).toSorted(byTime)
  return {
    ...a,
    databaseRows: a.databaseRows + b.databaseRows,
    databaseBytes: a.databaseBytes + b.databaseBytes,
    archivedRows: a.archivedRows + b.archivedRows,
    archivedBytes: a.archivedBytes + b.archivedBytes,
    copiedBytes: a.copiedBytes + b.copiedBytes,
    oldest: times('oldest')[0] ?? null,
    newest: times('newest').at(-1) ?? null,
  }
}

const byTime = (a: string, b: string) => Date.parse(a) - Date.parse(b)

/** Reads through the table, because no role may read partitions directly. */
async function countOpen(session: Session, partition: OpenPartition): Promise<Found[]> {
  const { schema, table, from, to, bytes } = partition
  const columns: GroupColumns = await readGroupColumns(session, partition)
  const text = (name: string | null) => (name === null ? 'null::text' : `r.${identifier(name)}::text`)
  const { rows } = await session.query<{
    tenant: string | null
    class: string | null
    rows: number
    share: number
    oldest: string | null
    newest: string | null
  }>(
    `select tenant, class, rows::float8, (rows / sum(rows) over ())::float8 as share, oldest, newest
     from (select ${text(columns.tenant)} as tenant, ${text(columns.class)} as class, count(*)::numeric as rows,
                  min(r.created_at) filter (where isfinite(r.created_at)) as oldest, max(r.created_at) filter (where isfinite(r.created_at)) as newest
           from ${identifier(schema)}.${identifier(table)} r where r.created_at >= $1 and r.created_at < $2 group by 1, 2) g
     order by rows desc limit ${MAX_GROUPS}`,
    [from, to],
  )
  return rows.map(({ share, rows: count, ...group }) => ({
    ...group,
    table: `${schema}.${table}`,
    gathered: false,
    databaseRows: count,
    databaseBytes: bytes * share,
    archivedRows: 0,
    archivedBytes: 0,
    copiedBytes: 0,
  }))
}
