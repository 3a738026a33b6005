/** Facts about the server from an ordinary connection. */
import { given } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'
import type { BackupIndex } from './backup-index.ts'

export interface ServerFacts {
  readonly version: string
  readonly database: string
  readonly major: number
  readonly dataChecksums: boolean
  readonly walLogHints: boolean
  /** null before version 17. */
  readonly summarizeWal: boolean | null
  readonly walSegmentBytes: number
  readonly now: Date
  /** The next transaction number to be assigned. */
  readonly nextXid: string
}

const facts = `
  select split_part(current_setting('server_version'), ' ', 1) as version,
         current_database()::text as database,
         current_setting('server_version_num')::integer / 10000 as major,
         current_setting('data_checksums')::boolean as "dataChecksums",
         current_setting('wal_log_hints')::boolean as "walLogHints",
         current_setting('summarize_wal', true)::boolean as "summarizeWal",
         pg_size_bytes(current_setting('wal_segment_size'))::integer as "walSegmentBytes",
         extract(epoch from clock_timestamp())::float8 * 1000 as milliseconds,
         pg_snapshot_xmax(pg_current_snapshot())::text as "nextXid"`

export async function readServerFacts(database: Database, signal?: AbortSignal): Promise<ServerFacts> {
  const { rows } = await database.direct(
    (session) => session.query<Omit<ServerFacts, 'now'> & { readonly milliseconds: number }>(facts),
    given({ signal }),
  )
  const [row] = rows
  if (row === undefined) throw new Error('a select without a table returned no row')
  const { milliseconds, ...rest } = row
  return { ...rest, now: new Date(Math.ceil(milliseconds)) }
}

const relations = `
  select current_database()::text as database, n.nspname::text as schema, c.relname::text as name,
         c.relkind::text as kind, c.oid::bigint::float8 as oid, pg_relation_filepath(c.oid) as path,
         case when c.reltoastrelid <> 0 then pg_relation_filepath(c.reltoastrelid) end as toast,
         (select pg_relation_filepath(i.indexrelid) from pg_index i where i.indrelid = c.reltoastrelid limit 1) as "toastIndex",
         case when c.relispartition then (
           select format('%I.%I', rn.nspname, r.relname) from pg_class r join pg_namespace rn on rn.oid = r.relnamespace
           where r.oid = pg_partition_root(c.oid)) end as root
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where pg_relation_filepath(c.oid) is not null and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  order by 2, 3`

/** Relations of the connected database with their files. */
export async function readRelations(
  database: Database,
  signal?: AbortSignal,
): Promise<BackupIndex['relations']> {
  const { rows } = await database.direct(
    (session) => session.query<BackupIndex['relations'][number]>(relations),
    given({ signal }),
  )
  return rows
}
