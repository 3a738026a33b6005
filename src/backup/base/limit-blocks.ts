/**
 * PostgreSQL's incremental backups omit blocks without WAL changes. A relation that was truncated and extended
 * again has such blocks (empty, without WAL): a rebuild would take them from an older backup and resurrect
 * deleted rows. The WAL summaries contain the truncations; a restore takes no blocks from older backups at or
 * after the lowest one (measured on 18.4: 1,044 rows reappeared without this).
 */
import { AkashiError, given } from '../../foundation/index.ts'
import { type Database, formatLsn, type Lsn } from '../../postgres/index.ts'
import type { LimitBlock } from './backup-index.ts'

const DEFAULT_TABLESPACE = '1663'
const GLOBAL_TABLESPACE = '1664'
const FORKS = ['', '_fsm', '_vm', '_init']

interface Row {
  readonly tablespace: string
  readonly database: string
  readonly filenode: string
  readonly fork: number
  readonly block: number
  readonly straddles: boolean
}

const truncations = `
  select c.reltablespace::text as tablespace, c.reldatabase::text as database, c.relfilenode::text as filenode,
         c.relforknumber::integer as fork, min(c.relblocknumber)::float8 as block,
         bool_or(s.start_lsn < $2::pg_lsn or s.end_lsn > $3::pg_lsn) as straddles
  from pg_available_wal_summaries() s
  cross join lateral pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn) c
  where s.tli = $1 and s.start_lsn < $3::pg_lsn and s.end_lsn > $2::pg_lsn and c.is_limit_block
  group by 1, 2, 3, 4`

/**
 * Forks truncated between the starts of two backups, with the lowest block.
 * @param paths of all files of the later backup, which show the folders of tablespaces
 * @throws conflict if the summaries do not cover the range between the backups
 */
export async function readLimitBlocks(
  database: Database,
  range: { readonly timeline: number; readonly from: Lsn; readonly to: Lsn },
  paths: Iterable<string>,
  signal?: AbortSignal,
): Promise<LimitBlock[]> {
  const { rows } = await database.direct(
    (session) =>
      session.query<Row>(truncations, [range.timeline, formatLsn(range.from), formatLsn(range.to)]),
    given({ timeoutMs: 0, signal }),
  )
  if (rows.some(({ straddles }) => straddles)) {
    throw new AkashiError('conflict', 'the WAL summaries do not start at the earlier backup', {
      hint: 'take a full backup: akashi backup full',
    })
  }
  const folders = tablespaceFolders(paths)
  return rows.flatMap((row) => {
    const folder = folderOf(row, folders)
    const suffix = FORKS[row.fork]
    // Without a folder the tablespace has no files left.
    return folder === undefined || suffix === undefined
      ? []
      : [{ path: `${folder}/${row.filenode}${suffix}`, block: row.block }]
  })
}

function folderOf(row: Row, folders: ReadonlyMap<string, string>): string | undefined {
  if (row.tablespace === GLOBAL_TABLESPACE) return 'global'
  if (row.tablespace === DEFAULT_TABLESPACE) return `base/${row.database}`
  const folder = folders.get(row.tablespace)
  return folder === undefined ? undefined : `${folder}/${row.database}`
}

function tablespaceFolders(paths: Iterable<string>): Map<string, string> {
  const folders = new Map<string, string>()
  for (const path of paths) {
    const [folder, oid] = /^pg_tblspc\/(\d+)\/PG_\d+_\d+/.exec(path) ?? []
    if (folder !== undefined && oid !== undefined) folders.set(oid, folder)
  }
  return folders
}
