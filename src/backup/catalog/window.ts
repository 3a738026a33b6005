/** Which moments can be brought back, and from which backup. Pure functions over the catalog. */
import { type Lsn, parseLsn } from '../../postgres/index.ts'
import type { BackupManifest } from '../types.ts'
import type { Ancestor } from '../wal/history.ts'
import type { WalPiece } from '../wal/names.ts'
import { type Coverage, coverageOf } from '../wal/pieces.ts'
import { type Catalog, chainOf } from './catalog.ts'

/** What one backup and the WAL behind it bring back, on the way to one timeline. */
export interface Stretch {
  readonly backup: BackupManifest
  /** The timeline that the recovery ends on. */
  readonly timeline: number
  /** Milliseconds since 1970. From the end of the backup … */
  readonly fromMs: number
  /** … to just before the last commit that is stored; equal to `fromMs` when none is. */
  readonly toMs: number
  readonly fromLsn: Lsn
  /** End of the WAL that follows without a hole. */
  readonly toLsn: Lsn
  /** The WAL to fetch, in order: of each timeline on the way, from where to where. */
  readonly wal: readonly { readonly timeline: number; readonly start: Lsn; readonly end: Lsn }[]
}

export type CatalogView = Pick<Catalog, 'backups' | 'histories'> & { readonly pieces: readonly WalPiece[] }

/** Of every backup with a whole chain, to every timeline that it leads to; oldest first. */
export function stretchesOf(catalog: CatalogView): Stretch[] {
  const coverage = coverageOf(catalog.pieces)
  const timelines = new Set([
    ...catalog.backups.map(({ timeline }) => timeline),
    ...coverage.map(({ timeline }) => timeline),
  ])
  return catalog.backups
    .filter((backup) => chainOf(catalog.backups, backup) !== undefined)
    .flatMap((backup) =>
      [...timelines].flatMap((timeline) => {
        const path = pathTo(backup, timeline, catalog.histories)
        return path === undefined ? [] : [stretchOf(backup, timeline, path, coverage)]
      }),
    )
    .sort((a, b) => a.fromMs - b.fromMs || a.timeline - b.timeline)
}

/** The timeline whose record goes on longest: what `latest` means when nobody names one. */
export function currentTimeline(stretches: readonly Stretch[]): number | undefined {
  let best: Stretch | undefined
  for (const stretch of stretches) {
    if (best === undefined || stretch.toMs > best.toMs) best = stretch
  }
  return best?.timeline
}

/** Intervals that do not touch, oldest first, in milliseconds. */
export function restorableIntervals(
  stretches: readonly Stretch[],
  timeline: number,
): { readonly fromMs: number; readonly toMs: number }[] {
  const intervals: { fromMs: number; toMs: number }[] = []
  for (const { fromMs, toMs, timeline: own } of stretches) {
    if (own !== timeline) continue
    const last = intervals.at(-1)
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs)
    else intervals.push({ fromMs, toMs })
  }
  return intervals
}

/** The timelines from a backup's own to the wanted one, each with where it was left; undefined when none leads there. */
function pathTo(
  backup: BackupManifest,
  timeline: number,
  histories: ReadonlyMap<number, readonly Ancestor[]>,
): Ancestor[] | undefined {
  if (timeline === backup.timeline) return []
  const ancestors = histories.get(timeline) ?? []
  const from = ancestors.findIndex((ancestor) => ancestor.timeline === backup.timeline)
  const left = ancestors[from]
  // What the backup holds must be older than the parting.
  if (left === undefined || left.end < parseLsn(backup.endLsn)) return undefined
  return ancestors.slice(from)
}

function stretchOf(
  backup: BackupManifest,
  timeline: number,
  path: readonly Ancestor[],
  coverage: readonly Coverage[],
): Stretch {
  const fromMs = Date.parse(backup.stoppedAt)
  const fromLsn = parseLsn(backup.endLsn)
  const wal: { timeline: number; start: Lsn; end: Lsn }[] = []
  let toMs = fromMs
  let toLsn = fromLsn
  // The backup itself holds the segment that it ends in.
  let need = roundUp(fromLsn, BigInt(backup.walSegmentBytes))
  for (const step of [...path, { timeline, end: undefined }]) {
    const found = coverage.find(
      (one) => one.timeline === step.timeline && one.start <= need && one.end > need,
    )
    if (found === undefined) break
    const end = step.end !== undefined && step.end < found.end ? step.end : found.end
    const start = need - (need % BigInt(backup.walSegmentBytes))
    wal.push({ timeline: step.timeline, start, end })
    toMs = Math.max(toMs, found.commitMs)
    toLsn = end
    if (step.end === undefined || end < step.end) break
    need = step.end
  }
  return { backup, timeline, fromMs, toMs, fromLsn, toLsn, wal }
}

function roundUp(lsn: Lsn, bytes: bigint): Lsn {
  return ((lsn + bytes - 1n) / bytes) * bytes
}
