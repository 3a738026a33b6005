import { mkdir, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AkashiError, given } from '../../foundation/index.ts'
import {
  type Binaries,
  type Database,
  type DirectSession,
  formatLsn,
  type Lsn,
  openDatabase,
  parseLsn,
  type RestoreFolder,
} from '../../postgres/index.ts'
import type { BackupIndex } from '../base/backup-index.ts'
import { type Catalog, chainOf, readCatalog } from '../catalog/catalog.ts'
import { type RestorableRange, restorableRanges } from '../catalog/window.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { BackupManifest } from '../types.ts'
import { parseHistory, reserveTimeline } from '../wal/history.ts'
import { assertRoom } from './room.ts'
import { RECOVERY_SETTINGS, writeRecoverySettings } from './settings.ts'
import { stageWal } from './stage-wal.ts'
import { candidates, type Target, targetText, unreachable } from './target.ts'
import { bytesToWrite, type Keep, type OpenedBackup, openBackup, writeFiles } from './write-files.ts'

/** Prepared transactions that a restored cluster which had some has room for at least. */
const MIN_PREPARED = 10
/** Time limit of the recovery itself, in milliseconds; enough for more than a day of WAL. */
const RECOVERY_TIMEOUT_MS = 4 * 3_600_000

export interface RestoreOptions {
  readonly target: Target
  /** The timeline to end on; default the one with the latest restorable moment. */
  readonly timeline?: number
  /** Command that fetches WAL files that are not staged. */
  readonly walFetch: string
  readonly signal?: AbortSignal
  readonly onProgress?: (phase: 'wal' | 'files' | 'recovery', done: number, total: number) => void
}

export interface Restored {
  /** As requested. */
  readonly target: string
  /** Time of the last restored transaction (ISO 8601); null if there was none since the backup. */
  readonly reachedTime: string | null
  readonly reachedLsn: string
  /** The new timeline that starts there. */
  readonly timeline: number
  /** Ids of the backups used, the full one first. */
  readonly chain: readonly string[]
  readonly walBytes: number
  readonly bytes: number
  /** Names of prepared transactions, which hold their locks until they are committed or rolled back. */
  readonly prepared: readonly string[]
  /** Names of subscriptions of logical replication that were disabled. */
  readonly subscriptions: readonly string[]
  /** The database that the backup was taken through; undefined in backups that do not say. */
  readonly sourceDatabase: string | undefined
  /** Programs of the server if its major version differs from the embedded one. */
  readonly binaries: Binaries | undefined
}

/**
 * Restores the cluster as of the target into a folder. Every object is read and verified before PostgreSQL
 * starts; afterwards the folder contains a stopped cluster on a new timeline.
 * @throws conflict, not_found (target not reachable, nothing was started), integrity naming the object,
 * unavailable with the message of PostgreSQL
 */
export async function restoreCluster(
  backupStore: BackupStore,
  folder: RestoreFolder,
  options: RestoreOptions,
): Promise<Restored> {
  const { onProgress = () => undefined } = options
  const prepared = await prepareFolder(backupStore, folder, options)
  onProgress('recovery', 0, 1)
  const reached = await recover(backupStore, folder, options.signal)
  assertStopped(prepared, reached.reachedLsn)
  onProgress('recovery', 1, 1)
  const { opened: _, stopsAt: __, ...rest } = prepared
  return { target: targetText(options.target), ...reached, ...rest }
}

export interface PrepareOptions extends RestoreOptions {
  /** Selects files by the index of the last backup; default all. */
  readonly keep?: (index: BackupIndex) => Keep
  /** Recover from a full backup and WAL only, ignoring incrementals. */
  readonly fullOnly?: boolean
}

export type Prepared = Pick<Restored, 'chain' | 'walBytes' | 'bytes' | 'sourceDatabase' | 'binaries'> & {
  readonly opened: readonly OpenedBackup[]
  /** Position where recovery ends if it reaches the target; undefined: at the end of the WAL. */
  readonly stopsAt: Lsn | undefined
}

/** Checks that recovery ended at the target and not where the WAL became unreadable. */
export function assertStopped({ stopsAt }: Pick<Prepared, 'stopsAt'>, reached: string): void {
  if (stopsAt === undefined || parseLsn(reached) === stopsAt) return
  throw new AkashiError(
    'integrity',
    `recovery ended at ${reached} instead of the target, ${formatLsn(stopsAt)}`,
    { hint: 'run akashi backup verify, and do not use the restored cluster' },
  )
}

/** Prepares the folder with everything that the recovery needs. */
export async function prepareFolder(
  backupStore: BackupStore,
  folder: RestoreFolder,
  options: PrepareOptions,
): Promise<Prepared> {
  const { signal, keep, onProgress = () => undefined } = options
  const catalog = await readCatalog(backupStore, signal)
  const plan = await chooseRange(backupStore, catalog, folder, options)
  const { range, target } = plan
  const chain = chainOf(catalog.backups, range.backup) ?? []
  const opened: OpenedBackup[] = []
  for (const manifest of chain) opened.push(await openBackup(backupStore, manifest, signal))
  await linkTablespaces(range.backup, folder)
  const last = opened.at(-1)
  const kept = last === undefined ? undefined : keep?.(last.index)
  const total = bytesToWrite(opened, kept)
  await assertRoom(folder.draft, total)
  let done = 0
  await writeFiles(backupStore, opened, folder.draft, {
    ...given({ signal, keep: kept }),
    onBytes: (bytes) => {
      done += bytes
      onProgress('files', done, total)
    },
  })
  await writeRecoverySettings(folder.draft, {
    target,
    timeline: range.timeline,
    walFolder: folder.walFolder,
    walFetch: options.walFetch,
  })
  await folder.complete()
  const { database: sourceDatabase } = range.backup
  const { binaries } = folder
  return {
    opened,
    stopsAt: plan.stopsAt,
    sourceDatabase,
    binaries,
    chain: chain.map(({ id }) => id),
    walBytes: plan.bytes,
    bytes: total,
  }
}

interface Plan {
  readonly range: RestorableRange
  /** The target for PostgreSQL: the end of the WAL if nothing was committed after the requested target. */
  readonly target: Target
  readonly stopsAt: Lsn | undefined
  readonly bytes: number
}

/** Stages and verifies the WAL of the best range that has a record to stop at. */
async function chooseRange(
  backupStore: BackupStore,
  catalog: Catalog,
  folder: RestoreFolder,
  options: PrepareOptions,
): Promise<Plan> {
  const { target, timeline, signal, fullOnly = false, onProgress = () => undefined } = options
  const ranges = restorableRanges(catalog).filter(({ backup }) => !fullOnly || backup.kind === 'full')
  const possible = candidates(ranges, target, timeline)
  for (const range of possible) {
    await folder.use(Number.parseInt(range.backup.postgresVersion, 10))
    const total = range.wal.reduce((sum, { start, end }) => sum + Number(end - start), 0)
    // Of one table, the files are few and counted once their index is read.
    const files = options.keep === undefined ? chainBytes(catalog, range.backup) : 0
    await assertRoom(folder.draft, total + files)
    let done = 0
    const staged = await stageWal(backupStore, range, catalog.pieces, target, folder.walFolder, {
      ...given({ signal }),
      onBytes: (bytes) => {
        done += bytes
        onProgress('wal', done, total)
      },
    })
    if (staged.found) return { range, target, stopsAt: staged.end, bytes: staged.bytes }
    if (target.kind === 'time' && target.us <= BigInt(range.toMs) * 1000n) {
      // All of the WAL was read, and nothing in it was committed after the target.
      return { range, target: { kind: 'latest' }, stopsAt: undefined, bytes: staged.bytes }
    }
    await rm(folder.walFolder, { recursive: true, force: true })
  }
  throw unreachable(target, ranges.filter((range) => range.timeline === possible[0]?.timeline).toReversed())
}

function chainBytes({ backups }: Catalog, backup: BackupManifest): number {
  return (chainOf(backups, backup) ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
}

async function linkTablespaces({ tablespaces }: BackupManifest, folder: RestoreFolder): Promise<void> {
  for (const { oid } of tablespaces) {
    const place = folder.tablespace(oid)
    const link = join(folder.draft, 'pg_tblspc', oid)
    await mkdir(place, { recursive: true, mode: 0o700 })
    await mkdir(dirname(link), { recursive: true, mode: 0o700 })
    await symlink(place, link)
  }
}

async function recover(backupStore: BackupStore, folder: RestoreFolder, signal?: AbortSignal) {
  const server = await folder.recover({
    timeoutMs: RECOVERY_TIMEOUT_MS,
    ...given({ signal }),
  })
  const database = openDatabase({ url: server.url('postgres'), role: 'owner', poolSize: 1 })
  try {
    const found = await settle(database, folder)
    // Prevents the next restore of the same cluster from reusing the timeline number.
    await reserveTimeline(backupStore, found.timeline, found.history, signal)
    const { history: _, ...reached } = found
    return reached
  } finally {
    await database.close()
    await server.stop()
  }
}

export interface End {
  readonly recovering: boolean
  readonly timeline: string
  readonly reached: string | null
}

export const endOfRecovery = `
  select pg_is_in_recovery() as recovering, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline,
         pg_last_xact_replay_timestamp() as reached`

/** Transactions that wait for their second phase: the server does not start with room for fewer. */
async function keepPrepared(session: DirectSession): Promise<string[]> {
  const { rows } = await session.query<{ gid: string }>(
    'select gid::text from pg_prepared_xacts order by prepared',
  )
  if (rows.length === 0) return []
  const { rows: needed } = await session.query<{ statement: string }>(
    `select format('alter system set max_prepared_transactions = %s', greatest($1::integer, (
       select max(setting::integer) from pg_file_settings
       where name = 'max_prepared_transactions' and sourcefile like '%postgresql.auto.conf'))) as statement`,
    [Math.max(rows.length, MIN_PREPARED)],
  )
  await session.query(needed[0]?.statement ?? '')
  return rows.map(({ gid }) => gid)
}

/** A copy must not take the changes from the publisher that the original waits for. Shared by all databases. */
async function disableSubscriptions(session: DirectSession): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    'update pg_catalog.pg_subscription set subenabled = false where subenabled returning subname::text as name',
  )
  return rows.map(({ name }) => name)
}

/** Resets the recovery settings, sets the new superuser password, and returns how far recovery came. */
async function settle(database: Database, folder: RestoreFolder) {
  return await database.direct(async (session) => {
    const { rows } = await session.query<End>(endOfRecovery)
    const [end] = rows
    if (end === undefined || end.recovering) {
      throw new AkashiError('unavailable', 'PostgreSQL did not finish recovery', { hint: 'check its log' })
    }
    await session.query('set log_statement = none')
    const { user, password } = folder.superuser
    const { rows: statements } = await session.query<{ statement: string }>(
      `select format('alter role %I password %L', $1::text, $2::text) as statement`,
      [user, password],
    )
    await session.query(statements[0]?.statement ?? '')
    for (const setting of RECOVERY_SETTINGS) await session.query(`alter system reset ${setting}`)
    const prepared = await keepPrepared(session)
    const subscriptions = await disableSubscriptions(session)
    const { rows: histories } = await session.query<{ content: string }>(
      `select pg_read_file('pg_wal/' || $1::text || '.history') as content`,
      [end.timeline],
    )
    const history = histories[0]?.content ?? ''
    const parting = parseHistory(history).at(-1)
    return {
      timeline: Number.parseInt(end.timeline, 16),
      reachedTime: end.reached === null ? null : new Date(end.reached).toISOString(),
      reachedLsn: formatLsn(parting?.end ?? 0n),
      history,
      prepared,
      subscriptions,
    }
  })
}
