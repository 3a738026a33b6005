/** Removes backups and WAL past their retention. The decision is a pure function of the catalog. */

import { AkashiError, given } from '../../foundation/index.ts'
import { type Lsn, parseLsn } from '../../postgres/index.ts'
import { listAuditCopies } from '../audit-copy/copies.ts'
import { type BackupStore, storedSystems } from '../store/backup-store.ts'
import { readKeyId } from '../store/header.ts'
import {
  basePrefix,
  dataKeyName,
  dataKeyPrefix,
  historyName,
  manifestName,
  systemPrefix,
} from '../store/paths.ts'
import type { BackupManifest } from '../types.ts'
import { segmentStart, type WalPiece } from '../wal/names.ts'
import { cutoffOf, latestOf, moments } from './age.ts'
import { type Catalog, chainOf, readCatalog } from './catalog.ts'
import { type CatalogView, type RestorableRange, restorableRanges } from './window.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Milliseconds for which a backup without manifest may still be in progress. */
const INCOMPLETE_MS = 2 * DAY_MS

export interface Retention {
  /** Every moment since then stays restorable. */
  readonly cutoffMs: number
  /** Incrementals from before are removed where the full backups and the WAL give the same moments. */
  readonly incrementalCutoffMs: number
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
 * without damaged pages. Of these, old incrementals that only save the replay of WAL are removed. Removes WAL before
 * the oldest kept backup.
 */
export function planPrune(
  catalog: Pick<CatalogView, 'backups' | 'pieces' | 'histories'>,
  { cutoffMs, incrementalCutoffMs, hold }: Retention,
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
  // A backup positioned after a kept one was taken later, even if the clock said otherwise.
  const isBehindKept = ({ timeline, startLsn }: BackupManifest) =>
    [...kept].some((one) => one.timeline === timeline && parseLsn(one.startLsn) <= parseLsn(startLsn))
  const always = new Set(
    [newest, whole].flatMap((range) =>
      range === undefined ? [] : (chainOf(catalog.backups, range.backup) ?? []),
    ),
  )
  const shortcuts = new Set(
    shortcutsOf(
      catalog.backups,
      ranges,
      kept,
      (backup) => isOld(backup, incrementalCutoffMs) && !always.has(backup),
    ),
  )
  const backups = catalog.backups.filter(
    (backup) =>
      shortcuts.has(backup) || (!kept.has(backup) && isOld(backup, cutoffMs) && !isBehindKept(backup)),
  )
  const retained = catalog.backups.filter((backup) => !backups.includes(backup))
  return { backups, pieces: catalog.pieces.filter((piece) => !isNeeded(piece, retained)) }
}

/**
 * Kept incrementals whose moments can all be restored from other kept backups and the WAL too, and which no
 * kept backup is based on.
 */
function shortcutsOf(
  backups: readonly BackupManifest[],
  ranges: readonly RestorableRange[],
  kept: ReadonlySet<BackupManifest>,
  mayGo: (backup: BackupManifest) => boolean,
): BackupManifest[] {
  const gone = new Set([...kept].filter((backup) => backup.kind === 'incremental' && mayGo(backup)))
  const rangesOf = (backup: BackupManifest) => ranges.filter((range) => range.backup === backup)
  const stay = (backup: BackupManifest) => {
    for (const ancestor of chainOf(backups, backup) ?? []) gone.delete(ancestor)
  }
  for (const backup of kept) if (!gone.has(backup)) stay(backup)
  for (const backup of [...gone].sort((a, b) => (a.stoppedAt < b.stoppedAt ? -1 : 1))) {
    const others = ranges.filter((range) => kept.has(range.backup) && !gone.has(range.backup))
    if (!rangesOf(backup).every((range) => others.some((other) => contains(other, range)))) stay(backup)
  }
  return [...gone]
}

function contains(outer: RestorableRange, inner: RestorableRange): boolean {
  return (
    outer.timeline === inner.timeline &&
    outer.fromLsn <= inner.fromLsn &&
    outer.toLsn >= inner.toLsn &&
    outer.fromMs <= inner.fromMs &&
    outer.toMs >= inner.toMs
  )
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
    /** How long incrementals are kept that only save the replay of WAL. */
    readonly incrementalHours: number
    readonly hold: boolean
    readonly dryRun?: boolean
    readonly now?: Date
    readonly signal?: AbortSignal
  },
): Promise<Pruned> {
  const { retentionDays, incrementalHours, hold, dryRun = false, now = new Date(), signal } = options
  const catalog = await readCatalog(backupStore, signal)
  assertReadable(catalog)
  const cutoffMs = cutoffOf(catalog, now, retentionDays * DAY_MS)
  const incrementalCutoffMs = cutoffOf(catalog, now, incrementalHours * HOUR_MS)
  const plan = planPrune(catalog, { cutoffMs, incrementalCutoffMs, hold })
  const objects: string[] = []
  const remove = async (name: string) => {
    signal?.throwIfAborted()
    if (!dryRun) await backupStore.store.delete(name)
    objects.push(name)
  }
  const incomplete = hold
    ? []
    : await abandoned(backupStore, catalog.incomplete, new Date(latestOf(catalog, now)))
  for (const id of [...plan.backups.map((backup) => backup.id), ...incomplete]) {
    const names: string[] = []
    for await (const { key } of backupStore.store.list(`${basePrefix(backupStore.systemId)}${id}/`))
      names.push(key)
    const manifestFirst = names.sort((a, b) => Number(b.endsWith('.json')) - Number(a.endsWith('.json')))
    for (const name of manifestFirst) await remove(name)
  }
  for (const { name } of plan.pieces) await remove(name)
  for (const { key } of plan.backups) await remove(dataKeyName(backupStore.systemId, key))
  if (!hold) for (const name of await unneededKeys(backupStore, plan, catalog, signal)) await remove(name)
  for (const systemId of hold ? [] : await storedSystems(backupStore.store)) {
    if (systemId === backupStore.systemId) continue
    objects.push(
      ...(await pruneFormerCluster(backupStore.of(systemId), { cutoffMs, dryRun, ...given({ signal }) })),
    )
  }
  return { backups: plan.backups.map(({ id }) => id), objects }
}

/** An unreadable object may be one that all others depend on. */
function assertReadable({ problems }: Pick<Catalog, 'problems'>): void {
  const [first] = problems
  if (first === undefined) return
  throw new AkashiError(
    'integrity',
    `nothing was removed, because ${first.object} cannot be read: ${first.detail}`,
    {
      hint: 'akashi backup verify shows what is damaged; restore it from a replica of the store, or delete that backup manually',
    },
  )
}

/**
 * Keys no longer in use: older than the key of the oldest kept WAL, and not named by any backup, history or
 * copy of the audit log. Their ids contain their age.
 */
async function unneededKeys(
  backupStore: BackupStore,
  plan: PrunePlan,
  catalog: Catalog,
  signal?: AbortSignal,
): Promise<string[]> {
  const { store, systemId } = backupStore
  const kept = catalog.pieces.filter((piece) => !plan.pieces.includes(piece))
  if (kept.length === 0) return []
  const used = new Set(catalog.backups.filter((one) => !plan.backups.includes(one)).map(({ key }) => key))
  const oldest = new Map<number, WalPiece>()
  for (const piece of kept) if (!oldest.has(piece.timeline)) oldest.set(piece.timeline, piece)
  const firsts = [...oldest.values()].map(({ name }) => [name, 'wal'] as const)
  const histories = [...catalog.histories.keys()].map(
    (one) => [historyName(systemId, one), 'history'] as const,
  )
  const streams: string[] = []
  for (const [name, kind] of [...firsts, ...histories]) {
    const id = await readKeyId(store, name, kind, signal)
    used.add(id)
    if (kind === 'wal') streams.push(id)
  }
  for (const { manifest } of await listAuditCopies(backupStore, signal)) {
    if (manifest === null) return []
    used.add(manifest.key)
  }
  const [first = ''] = streams.sort()
  const unneeded: string[] = []
  for await (const { key: name } of store.list(dataKeyPrefix(systemId))) {
    const id = name.slice(name.lastIndexOf('/') + 1, -'.age'.length)
    if (id < first && !used.has(id) && !plan.backups.some(({ key }) => key === id)) unneeded.push(name)
  }
  return unneeded
}

/**
 * Removes a cluster that is gone, such as the one before an upgrade, once nothing of it is younger than the
 * retention.
 * @returns names of the removed objects
 */
async function pruneFormerCluster(
  backupStore: BackupStore,
  options: { readonly cutoffMs: number; readonly dryRun?: boolean; readonly signal?: AbortSignal },
): Promise<string[]> {
  const { cutoffMs, dryRun = false, signal } = options
  const catalog = await readCatalog(backupStore, signal)
  assertReadable(catalog)
  if (moments(catalog).some((moment) => moment > cutoffMs)) return []
  const names: string[] = []
  for await (const { key } of backupStore.store.list(systemPrefix(backupStore.systemId))) names.push(key)
  const manifestsFirst = names.sort((a, b) => Number(b.endsWith('.json')) - Number(a.endsWith('.json')))
  for (const name of manifestsFirst) {
    signal?.throwIfAborted()
    if (!dryRun) await backupStore.store.delete(name)
  }
  return manifestsFirst
}

/** Incomplete backups that are old enough to be abandoned. */
async function abandoned(backupStore: BackupStore, ids: readonly string[], now: Date): Promise<string[]> {
  const found: string[] = []
  for (const id of ids) {
    let newest = 0
    const manifest = manifestName(backupStore.systemId, id)
    for await (const { key, lastModified } of backupStore.store.list(
      `${basePrefix(backupStore.systemId)}${id}/`,
    )) {
      // The store lists the object but did not return it: no conclusion can be drawn.
      if (key === manifest) newest = Number.POSITIVE_INFINITY
      newest = Math.max(newest, lastModified.getTime())
    }
    if (newest < now.getTime() - INCOMPLETE_MS) found.push(id)
  }
  return found
}
