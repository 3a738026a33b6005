/** Removes backups and WAL past their retention. The decision is a pure function of the catalog. */
import { type Lsn, parseLsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { basePrefix, dataKeyName } from '../store/paths.ts'
import type { BackupManifest } from '../types.ts'
import { segmentStart, type WalPiece } from '../wal/names.ts'
import { chainOf, readCatalog } from './catalog.ts'
import { type CatalogView, restorableRanges } from './window.ts'

const DAY_MS = 86_400_000
/** Milliseconds for which a backup without manifest may still be in progress. */
const INCOMPLETE_MS = 2 * DAY_MS

export interface Retention {
  /** Every moment since then stays restorable. */
  readonly cutoffMs: number
  /** Legal hold: nothing is removed. */
  readonly hold: boolean
}

export interface PrunePlan {
  readonly backups: readonly BackupManifest[]
  readonly pieces: readonly WalPiece[]
}

/**
 * Keeps every backup needed to restore any moment since the cutoff: on the path to each timeline the backups taken
 * since, the newest earlier one, and all their ancestors. Always keeps the newest backup, and the newest one
 * without damaged pages. Removes WAL before the
 * oldest kept backup.
 */
export function planPrune(
  catalog: Pick<CatalogView, 'backups' | 'pieces' | 'histories'>,
  { cutoffMs, hold }: Retention,
): PrunePlan {
  if (hold) return { backups: [], pieces: [] }
  const ranges = restorableRanges(catalog)
  const newest = ranges.at(-1)
  const whole = ranges.findLast(({ backup }) =>
    (chainOf(catalog.backups, backup) ?? []).every(({ damaged }) => damaged === undefined),
  )
  const needed = [newest, whole].filter((range) => range !== undefined)
  for (const timeline of new Set(ranges.map((range) => range.timeline))) {
    const own = ranges.filter((range) => range.timeline === timeline)
    const atCutoff = own.findLast(({ fromMs, toMs }) => fromMs <= cutoffMs && toMs >= cutoffMs)
    if (atCutoff !== undefined) needed.push(atCutoff)
    needed.push(...own.filter(({ fromMs }) => fromMs > cutoffMs))
  }
  const kept = new Set(needed.flatMap(({ backup }) => chainOf(catalog.backups, backup) ?? []))
  const backups = catalog.backups.filter((backup) => !kept.has(backup) && isOld(backup, cutoffMs))
  const retained = catalog.backups.filter((backup) => !backups.includes(backup))
  return { backups, pieces: catalog.pieces.filter((piece) => !isNeeded(piece, retained)) }
}

/** Backups with a broken chain are removed by age. */
function isOld(backup: BackupManifest, cutoffMs: number): boolean {
  return Date.parse(backup.stoppedAt) <= cutoffMs
}

/**
 * WAL is needed from the oldest backup of its own or an earlier timeline on. Without any backup it is kept, since
 * the first one may be in progress.
 */
function isNeeded(piece: WalPiece, backups: readonly BackupManifest[]): boolean {
  let oldest: Lsn | undefined
  for (const { startLsn, timeline, walSegmentBytes } of backups) {
    if (timeline > piece.timeline) continue
    const start = segmentStart(parseLsn(startLsn), walSegmentBytes)
    if (oldest === undefined || start < oldest) oldest = start
  }
  if (oldest !== undefined) return piece.end > oldest
  return backups.every(({ timeline }) => timeline <= piece.timeline)
}

export interface Pruned {
  readonly backups: readonly string[]
  readonly objects: readonly string[]
}

/** Removes what the plan lists, manifests first, so that a kill leaves no seemingly complete backup. */
export async function pruneBackups(
  backupStore: BackupStore,
  options: {
    readonly retentionDays: number
    readonly hold: boolean
    readonly dryRun?: boolean
    readonly now?: Date
    readonly signal?: AbortSignal
  },
): Promise<Pruned> {
  const { retentionDays, hold, dryRun = false, now = new Date(), signal } = options
  const catalog = await readCatalog(backupStore, signal)
  const plan = planPrune(catalog, { cutoffMs: now.getTime() - retentionDays * DAY_MS, hold })
  const objects: string[] = []
  const remove = async (name: string) => {
    signal?.throwIfAborted()
    if (!dryRun) await backupStore.store.delete(name)
    objects.push(name)
  }
  const incomplete = hold ? [] : await abandoned(backupStore, catalog.incomplete, now)
  for (const id of [...plan.backups.map((backup) => backup.id), ...incomplete]) {
    const names: string[] = []
    for await (const { key } of backupStore.store.list(`${basePrefix(backupStore.systemId)}${id}/`))
      names.push(key)
    const manifestFirst = names.sort((a, b) => Number(b.endsWith('.json')) - Number(a.endsWith('.json')))
    for (const name of manifestFirst) await remove(name)
  }
  for (const { name } of plan.pieces) await remove(name)
  for (const { key } of plan.backups) await remove(dataKeyName(backupStore.systemId, key))
  return { backups: plan.backups.map(({ id }) => id), objects }
}

/** Incomplete backups that are old enough to be abandoned. */
async function abandoned(backupStore: BackupStore, ids: readonly string[], now: Date): Promise<string[]> {
  const found: string[] = []
  for (const id of ids) {
    let newest = 0
    for await (const { lastModified } of backupStore.store.list(
      `${basePrefix(backupStore.systemId)}${id}/`,
    )) {
      newest = Math.max(newest, lastModified.getTime())
    }
    if (newest < now.getTime() - INCOMPLETE_MS) found.push(id)
  }
  return found
}
