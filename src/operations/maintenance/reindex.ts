/** Indexes that are mostly empty are rebuilt while they are used. */
import type { Database, Session } from '../../postgres/index.ts'
import { maintainable, ORDINARY } from './allowed.ts'
import { type MaintenanceSession, withMaintenance } from './give-way.ts'

const MEBIBYTE = 1_048_576

interface IndexBloat {
  /** Quoted. */
  readonly name: string
  readonly bytes: number
  /** Estimated bytes that a rebuild frees. */
  readonly emptyBytes: number
  /** Whether the login may rebuild it. */
  readonly allowed: boolean
}

interface BloatLimits {
  /** Share that must be empty, in percent. */
  readonly percent: number
  /** Bytes that must be empty. */
  readonly bytes: number
}

/**
 * B-tree indexes with how much of them is empty, the emptiest first. What their entries need is computed from the
 * statistics (number of entries, average width of each column), as if no entry were stored once for several rows;
 * an index with many equal keys is therefore estimated to be fuller than it is, and never emptier. An index without
 * statistics is not listed.
 */
export async function bloatedIndexes(session: Session, limits: BloatLimits): Promise<IndexBloat[]> {
  const { rows } = await session.query<IndexBloat>(
    `with keys as (
       select i.indexrelid, i.indrelid, sum(st.avg_width) as width, max(st.null_frac) as null_frac, count(*) = count(st.avg_width) as known
       from pg_index i
       join pg_class x on x.oid = i.indexrelid join pg_am am on am.oid = x.relam and am.amname = 'btree'
       join pg_class t on t.oid = i.indrelid join pg_namespace tn on tn.oid = t.relnamespace
       join pg_namespace xn on xn.oid = x.relnamespace
       join pg_attribute a on a.attrelid = i.indexrelid
       left join pg_attribute column_of on column_of.attrelid = i.indrelid and column_of.attnum = i.indkey[a.attnum - 1] and i.indkey[a.attnum - 1] <> 0
       left join pg_stats st on not st.inherited and (
         st.schemaname = tn.nspname and st.tablename = t.relname and st.attname = column_of.attname
         or column_of.attname is null and st.schemaname = xn.nspname and st.tablename = x.relname and st.attname = a.attname)
       where i.indisvalid and i.indisready and not i.indisexclusion and x.relkind = 'i'
       group by i.indexrelid, i.indrelid
     ), sizes as (
       select k.*, x.reltuples, pg_relation_size(x.oid)::float8 as bytes, current_setting('block_size')::integer as block,
              coalesce((select o.option_value::integer from pg_options_to_table(x.reloptions) o where o.option_name = 'fillfactor'), 90) as fillfactor,
              -- Header, bitmap of nulls, columns, each aligned to 8 bytes, and the entry of the page's directory.
              ceil((case when k.null_frac > 0 then 16 else 8 end + k.width) / 8.0) * 8 + 4 as entry
       from keys k join pg_class x on x.oid = k.indexrelid
       where k.known and x.reltuples >= 0
     ), estimated as (
       -- A page has 24 bytes of header and 16 of its own; one page is the root's, a hundredth the inner pages'.
       select s.*, (1 + ceil(1.01 * ceil(reltuples * entry / ((block - 40) * fillfactor / 100.0)))) * block as needed from sizes s
     )
     select format('%I.%I', n.nspname, x.relname) as name, e.bytes, (e.bytes - e.needed)::float8 as "emptyBytes",
            ${await maintainable(session)} as allowed
     from estimated e join pg_class x on x.oid = e.indexrelid join pg_class c on c.oid = e.indrelid join pg_namespace n on n.oid = x.relnamespace
     where ${ORDINARY} and e.bytes - e.needed >= $1::float8 and e.bytes - e.needed >= e.bytes * $2::float8 / 100
     order by 3 desc limit 500`,
    [limits.bytes, limits.percent],
  )
  return rows
}

/** What a rebuild that failed or was cut off leaves: not used for reading, and yet kept up by every write. */
export async function leftIndexes(session: Session): Promise<{ name: string; allowed: boolean }[]> {
  const { rows } = await session.query<{ name: string; allowed: boolean }>(
    `select format('%I.%I', n.nspname, x.relname) as name, ${await maintainable(session)} as allowed
     from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = x.relnamespace
     where not i.indisvalid and x.relkind = 'i' and x.relname ~ '_cc(new|old)\\d*$' and ${ORDINARY} order by 1`,
  )
  return rows
}

interface ReindexResult {
  readonly rebuilt: readonly { readonly name: string; readonly bytesBefore: number; readonly bytes: number }[]
  /** Somebody waited for it, or an old transaction stood in its way; the next run tries again. */
  readonly skipped: readonly string[]
  readonly notAllowed: readonly string[]
  /** What earlier rebuilds had left. */
  readonly removed: readonly string[]
}

export async function reindexBloated(
  administrator: Database,
  limits: BloatLimits,
  signal?: AbortSignal,
): Promise<ReindexResult> {
  return await withMaintenance(administrator, signal, async (maintenance) => {
    const { session, run } = maintenance
    const removed = await removeLeft(maintenance)
    const found = await bloatedIndexes(session, limits)
    const rebuilt: { name: string; bytesBefore: number; bytes: number }[] = []
    const skipped: string[] = []
    for (const { name, bytes: bytesBefore, allowed } of found) {
      if (!allowed) continue
      signal?.throwIfAborted()
      const outcome = await run(`reindex index concurrently ${name}`)
      if (outcome === 'done') rebuilt.push({ name, bytesBefore, bytes: await sizeOf(session, name) })
      else {
        skipped.push(name)
        await removeLeft(maintenance)
      }
    }
    const notAllowed = found.filter(({ allowed }) => !allowed).map(({ name }) => name)
    return { rebuilt, skipped, notAllowed, removed }
  })
}

/** An index that another session is building is locked, and stays. */
async function removeLeft({ session, run }: MaintenanceSession): Promise<string[]> {
  const removed: string[] = []
  for (const { name, allowed } of await leftIndexes(session)) {
    if (allowed && (await run(`drop index concurrently if exists ${name}`)) === 'done') removed.push(name)
  }
  return removed
}

async function sizeOf(session: Session, name: string): Promise<number> {
  const { rows } = await session.query<{ bytes: number }>(
    'select pg_relation_size(to_regclass($1))::float8 as bytes',
    [name],
  )
  return rows[0]?.bytes ?? 0
}

/** The limits that the settings give. */
export async function readBloatLimits(session: Session): Promise<BloatLimits> {
  const { rows } = await session.query<{ percent: number; megabytes: number }>(
    `select akashi_lifecycle.setting('maintenance.reindex_percent')::float8 as percent,
            akashi_lifecycle.setting('maintenance.reindex_min_mb')::float8 as megabytes`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('a select without a table returns one row')
  return { percent: row.percent, bytes: row.megabytes * MEBIBYTE }
}
