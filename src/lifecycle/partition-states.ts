/** Every partition of the tables with a policy: where its rows are, how many, and how large. */
import type { PartitionState } from '@akashi/contract'
import type { Actor, Database } from '../postgres/index.ts'

/**
 * Attached partitions, and those whose rows are in the archive alone. The rows of an attached one are the server's
 * estimate until it is exported.
 */
const statesSql = `
  with wanted as (
    select p.schema_name, p.table_name, p.lateness, to_regclass(format('%I.%I', p.schema_name, p.table_name)) as parent
    from akashi_lifecycle.policies p where $1::text is null or (p.schema_name, p.table_name) = ($1, $2)
  ), last as (
    select distinct on (e.schema_name, e.table_name, e.lower_bound, e.upper_bound) e.*
    from akashi_lifecycle.exports e where e.state <> 'superseded'
    order by e.schema_name, e.table_name, e.lower_bound, e.upper_bound, e.generation desc
  ), attached as (
    select w.schema_name, w.table_name, c.relname::text as partition, b.lower, b.upper, w.lateness,
           case when c.reltuples >= 0 then c.reltuples::float8 end as rows,
           (select coalesce(sum(pg_total_relation_size(t.relid)), 0) from pg_partition_tree(c.oid) t)::float8 as bytes
    from wanted w join pg_catalog.pg_inherits i on i.inhparent = w.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
  ), stored as (
    select e.schema_name, e.table_name, e.lower_bound, e.upper_bound, sum(e.row_count)::float8 as rows, sum(e.bytes)::float8 as bytes
    from akashi_lifecycle.exports e where e.state not in ('exporting', 'superseded')
    group by e.schema_name, e.table_name, e.lower_bound, e.upper_bound
  )
  select a.schema_name || '.' || a.table_name as "table", a.partition, a.lower as "from", a.upper as "to",
         case when l.state in ('verified', 'detached') and l.generation >= 0 then s.rows else a.rows end as rows, a.bytes,
         case when a.lower > now() then 'future' when a.upper is null or a.upper + a.lateness > now() then 'open'
              when l.state in ('verified', 'detached') then 'exported' else 'closed' end as state
  from attached a
  left join last l on (l.schema_name, l.table_name, l.lower_bound, l.upper_bound) = (a.schema_name, a.table_name, a.lower, a.upper)
  left join stored s on (s.schema_name, s.table_name, s.lower_bound, s.upper_bound) = (a.schema_name, a.table_name, a.lower, a.upper)
  union all
  select l.schema_name || '.' || l.table_name, l.partition_name, l.lower_bound, l.upper_bound, s.rows, coalesce(s.bytes, 0),
         case when l.state in ('retired', 'retiring') then 'retired' else 'archived' end
  from last l
  join wanted w on (w.schema_name, w.table_name) = (l.schema_name, l.table_name)
  left join stored s on (s.schema_name, s.table_name, s.lower_bound, s.upper_bound) = (l.schema_name, l.table_name, l.lower_bound, l.upper_bound)
  where not exists (select from attached a
                    where (a.schema_name, a.table_name, a.lower, a.upper) = (l.schema_name, l.table_name, l.lower_bound, l.upper_bound))
  order by 1, 3 nulls first, 2`

/** Oldest first. @param table `schema.table`; without it, every table with a policy */
export async function partitionStates(
  database: Database,
  actor: Actor,
  table?: { readonly schema: string; readonly table: string },
): Promise<PartitionState[]> {
  const { rows } = await database.transaction(
    actor,
    (session) => session.query<PartitionState>(statesSql, [table?.schema ?? null, table?.table ?? null]),
    { readOnly: true },
  )
  return rows
}
