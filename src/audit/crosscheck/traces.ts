/** What the write-ahead log does not carry: looked for in the catalog. */
import { createHash } from 'node:crypto'
import type { Session } from '../../postgres/index.ts'
import type { Found } from './discrepancy.ts'
import { PUBLICATION } from './slot.ts'

export interface Suspect {
  readonly schema: string
  readonly table: string
  readonly what: string
}

/** Protected tables whose rows may have been changed without a change in the log. */
export async function suspectTables(session: Session): Promise<Suspect[]> {
  const { rows } = await session.query<Suspect>(
    'select schema_name as schema, table_name as "table", what from akashi_audit.suspect_tables() order by 1, 2, 3',
  )
  return rows
}

/** Keeps the traces of a table as they are; without one, of all that are not suspect. */
export async function keepTraces(
  session: Session,
  table: Pick<Suspect, 'schema' | 'table'> | null = null,
): Promise<void> {
  await session.query('select akashi_audit.keep_traces_of($1, $2)', [
    table?.schema ?? null,
    table?.table ?? null,
  ])
}

/** Relations have new files because they were truncated, which the trail tells. */
export async function keepTruncated(session: Session, oids: readonly number[]): Promise<void> {
  await session.query('select akashi_audit.keep_truncated($1)', [oids])
}

/** $1: the publication. */
const unwatchedSql = `
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
  select n.schema_name as schema, n.table_name as "table",
         case when n.relpersistence <> 'p' then 'it is unlogged: nothing of it is in the write-ahead log'
              else 'the publication ' || $1 || ' does not deliver all of it: akashi crosscheck repair' end as what
  from named n
  where n.relpersistence <> 'p' or not exists (select from published p where p.prrelid = n.oid and not p.narrowed)
  union all
  select n.schema_name, n.table_name,
         format('the subscription %s writes to it, and what a subscription applies fires no statement trigger', s.subname)
  from named n join pg_subscription_rel r on r.srrelid = n.oid or r.srrelid in (select relid from pg_partition_tree(n.oid))
  join pg_subscription s on s.oid = r.srsubid`

/** Protected tables of which changes can pass the log or the triggers. */
export async function unwatchedTables(session: Session): Promise<Suspect[]> {
  const { rows } = await session.query<Suspect>(unwatchedSql, [PUBLICATION])
  return rows
}

/** As a finding; the same one is found once. */
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
