/** Decides which partitions are due for export or removal: partitions of tables with a policy, by their bounds. */
import type { Session } from '../../postgres/index.ts'
import type { ExportRecord } from './records.ts'
import type { Target } from './source.ts'

export interface Candidate extends Target {
  /** The lateness after its end has passed, so it may be exported. */
  readonly closed: boolean
  /** Its hot retention has passed, and the policy archives it. */
  readonly expired: boolean
  readonly held: boolean
  /** Attached to its table; otherwise detached, in the schema akashi_archive. */
  readonly attached: boolean
  readonly mutable: boolean
  readonly csv: boolean
  /** State of the last export; null without one. */
  readonly state: ExportRecord['state'] | null
  readonly exports: number
  readonly rows: number | null
  readonly manifest: string | null
  readonly keepUntil: string | null
  readonly verifiedAt: string | null
  /** The server's estimate of the rows, for partitions never exported. */
  readonly estimate: number
}

export interface PlanOptions {
  readonly asOf: Date
  /** `schema.table`; without it, every table. */
  readonly table?: { readonly schema: string; readonly table: string }
}

const planSql = `
  with policy as (
    select *, to_regclass(format('%I.%I', schema_name, table_name)) as parent from akashi_lifecycle.policies
    where at_expiry = 'archive' and ($2::text is null or (schema_name, table_name) = ($2, $3))
  ), attached as (
    select p.schema_name, p.table_name, c.relname::text as partition_name, b.lower, b.upper, true as attached,
           -- A partition that was just filled has not been analyzed.
           greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::float8 as estimate
    from policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    where isfinite(b.lower) and isfinite(b.upper)
  ), detached as (
    select distinct e.schema_name, e.table_name, e.partition_name, e.lower_bound, e.upper_bound, false, 0::float8
    from akashi_lifecycle.exports e join policy p using (schema_name, table_name) where e.state = 'detached'
  )
  select part.schema_name as schema, part.table_name as "table", part.partition_name as partition,
         part.lower as "from", part.upper as "to", part.attached, part.estimate,
         part.upper + p.lateness <= $1::timestamptz as closed,
         part.upper + p.hot_retention <= $1::timestamptz as expired,
         p.legal_hold as held, not p.append_only as mutable, p.format = 'parquet+csv' as csv,
         last.state, coalesce(last.exports, 0)::integer as exports, last.rows, last.manifest,
         last.keep_until as "keepUntil", last.verified_at as "verifiedAt"
  from (select * from attached union all select * from detached) part
  join policy p using (schema_name, table_name)
  left join lateral (
    select (array_agg(e.state order by e.generation desc))[1] as state, count(*) as exports,
           sum(e.row_count)::float8 as rows, (array_agg(e.manifest order by e.generation desc))[1] as manifest,
           max(e.keep_until) as keep_until, max(e.verified_at) as verified_at
    from akashi_lifecycle.exports e
    where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
        = (part.schema_name, part.table_name, part.lower, part.upper)
  ) last on true
  where part.upper + p.lateness <= $1::timestamptz
  order by part.schema_name, part.table_name, part.lower, part.attached`

/** Every partition that is closed at a given time, ordered by table and bounds. */
export async function readCandidates(session: Session, { asOf, table }: PlanOptions): Promise<Candidate[]> {
  const { rows } = await session.query<Candidate>(planSql, [
    asOf.toISOString(),
    table?.schema ?? null,
    table?.table ?? null,
  ])
  return rows
}

/** Whether a candidate is due for removal from PostgreSQL. */
export function isLeaving({ expired, held, keepUntil }: Candidate, asOf: Date): boolean {
  return expired && !held && (keepUntil === null || Date.parse(keepUntil) <= asOf.getTime())
}
