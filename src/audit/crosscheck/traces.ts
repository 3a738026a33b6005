/** Finds changes that the write-ahead log does not contain, by traces in the catalog. */
import { createHash } from 'node:crypto'
import type { Session } from '../../postgres/index.ts'
import type { Found } from './discrepancy.ts'
import { nameOf } from './protections.ts'
import { PUBLICATION } from './slot.ts'

export interface Suspect {
  readonly schema: string
  readonly table: string
  readonly what: string
}

interface Kept {
  readonly schema: string
  readonly table: string
  readonly digest: string
}

/**
 * Keeps the traces of a table as they are; without one, of all that are not suspect.
 *
 * @returns digests of those that changed, by the name of the table
 */
export async function keepTraces(
  session: Session,
  table: Pick<Suspect, 'schema' | 'table'> | null = null,
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await session.query<Kept>(
    'select kept_schema as schema, kept_table as "table", digest from akashi_audit.keep_traces_of($1, $2)',
    [table?.schema ?? null, table?.table ?? null],
  )
  return byName(rows)
}

/** Relations have new files because they were truncated, which the trail tells: files by OID. */
export async function keepTruncated(
  session: Session,
  files: ReadonlyMap<number, number>,
): Promise<readonly { readonly name: string; readonly before: string; readonly digest: string }[]> {
  const { rows } = await session.query<Kept & { readonly before: string }>(
    'select kept_schema as schema, kept_table as "table", digest_before as before, digest from akashi_audit.keep_truncated($1)',
    [JSON.stringify(Object.fromEntries(files))],
  )
  return rows.map(({ schema, table, before, digest }) => ({ name: nameOf(schema, table), before, digest }))
}

/** Digests of the traces that are kept, by the name of the table. */
export async function readTraces(session: Session): Promise<ReadonlyMap<string, string>> {
  const { rows } = await session.query<Kept>(
    'select schema_name as schema, table_name as "table", md5(traces::text) as digest from akashi_audit.crosscheck_traces',
  )
  return byName(rows)
}

function byName(rows: readonly Kept[]): ReadonlyMap<string, string> {
  return new Map(rows.map(({ schema, table, digest }) => [nameOf(schema, table), digest]))
}

/** $1: the publication. */
const passedSql = `
  with published as (
    select p.oid, r.prrelid, r.prqual is not null or r.prattrs is not null as narrowed
    from pg_publication p left join pg_publication_rel r on r.prpubid = p.oid
    where p.pubname = $1 and p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate and not p.pubviaroot
  ), wanted as (
    select p.schema_name, p.table_name from akashi_audit.protected_tables p
    union all select 'akashi_audit', 'audit_logs'
  ), named as (
    select w.schema_name, w.table_name, c.oid, c.relpersistence
    from wanted w join pg_namespace n on n.nspname = w.schema_name
    join pg_class c on c.relnamespace = n.oid and c.relname = w.table_name
  )
  select 'open' as kind, n.schema_name as schema, n.table_name as "table",
         case when n.relpersistence <> 'p' then 'it is unlogged: nothing of it is in the write-ahead log'
              else 'the publication ' || $1 || ' does not deliver all of it: akashi crosscheck repair' end as what
  from named n
  where n.relpersistence <> 'p' or not exists (select from published p where p.prrelid = n.oid and not p.narrowed)
  union all
  select 'open', n.schema_name, n.table_name,
         format('the subscription %s writes to it, and what a subscription applies fires no statement trigger', s.subname)
  from named n join pg_subscription_rel r on r.srrelid = n.oid or r.srrelid in (select relid from pg_partition_tree(n.oid))
  join pg_subscription s on s.oid = r.srsubid
  union all
  select 'open', n.schema_name, n.table_name, format('its partition %s is unlogged: nothing of it is in the write-ahead log', c.oid::regclass)
  from named n cross join lateral pg_partition_tree(n.oid) t join pg_class c on c.oid = t.relid
  where c.oid <> n.oid and c.relpersistence <> 'p'
  union all
  select 'open', n.schema_name, n.table_name, format('its partition %s is a foreign table: its rows are elsewhere', c.oid::regclass)
  from named n cross join lateral pg_partition_tree(n.oid) t join pg_class c on c.oid = t.relid
  where c.relkind = 'f'
  union all
  select 'open', n.schema_name, n.table_name,
         format('the table %s inherits from it and is not under audit: its rows show in it', c.oid::regclass)
  from named n join pg_class p on p.oid = n.oid and p.relkind = 'r' join pg_inherits i on i.inhparent = n.oid join pg_class c on c.oid = i.inhrelid
  where c.oid not in (select o.oid from named o)
  union all
  select 'suspect', schema_name, table_name, what from akashi_audit.suspect_tables()
  union all
  select 'kept', t.schema_name, t.table_name, md5(t.traces::text) from akashi_audit.crosscheck_traces t
  order by 1, 2, 3, 4`

export interface PassedTables {
  /** Of which changes can pass the log or the triggers. */
  readonly open: readonly Suspect[]
  /** Whose rows may have been changed without a change in the log. */
  readonly suspects: readonly Suspect[]
  /** Digests of the traces that are kept, by the name of the table. */
  readonly kept: ReadonlyMap<string, string>
}

/** Protected tables that the catalog speaks against; one statement. */
export async function passedTables(session: Session): Promise<PassedTables> {
  const { rows } = await session.query<Suspect & { readonly kind: string }>(passedSql, [PUBLICATION])
  const of = (kind: string) =>
    rows
      .filter((row) => row.kind === kind)
      .map(({ schema, table, what }): Suspect => ({ schema, table, what }))
  const kept = of('kept').map(({ schema, table, what }) => ({ schema, table, digest: what }))
  return { open: of('open'), suspects: of('suspect'), kept: byName(kept) }
}

/** As a finding; a repeated one is stored once. */
export function unwatched({ schema, table, what }: Suspect, occasion = ''): Found {
  const mark = createHash('sha256').update(`${what}\0${occasion}`).digest('hex').slice(0, 16)
  return {
    kind: 'unwatched',
    place: `table/${JSON.stringify([schema, table])}/${mark}`,
    schema_name: schema,
    table_name: table,
    detail: `${schema}.${table}: ${what}`,
  }
}
