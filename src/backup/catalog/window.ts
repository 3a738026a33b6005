/** Which moments can be restored, and from which backup. Pure functions over the catalog. */
import { type Lsn, parseLsn } from '../../postgres/index.ts'
import type { BackupManifest } from '../types.ts'
import type { Ancestor } from '../wal/history.ts'
import type { WalPiece } from '../wal/names.ts'
import { type Coverage, coverageOf } from '../wal/pieces.ts'
import { type Catalog, chainOf } from './catalog.ts'

/** The moments that one backup and the WAL after it can restore, on the path to one timeline. */
export interface RestorableRange {
  readonly backup: BackupManifest
  /** The timeline that the recovery ends on. */
  readonly timeline: number
  /** Milliseconds since 1970. From the end of the backup … */
  readonly fromMs: number
  /** … to just before the last stored commit; equal to `fromMs` if there is none. */
  readonly toMs: number
  readonly fromLsn: Lsn
  /** End of the contiguous WAL. */
  readonly toLsn: Lsn
  /** The WAL to fetch, in order, for each timeline on the path. */
  readonly wal: readonly { readonly timeline: number; readonly start: Lsn; readonly end: Lsn }[]
}

export type CatalogView = Pick<Catalog, 'backups' | 'histories'> & { readonly pieces: readonly WalPiece[] }

/** The ranges of every backup with a complete chain, for every timeline reachable from it; oldest first. */
export function restorableRanges(catalog: CatalogView): RestorableRange[] {
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
        return path === undefined ? [] : [rangeTo(backup, timeline, path, coverage)]
      }),
    )
    .sort((a, b) => a.fromMs - b.fromMs || a.timeline - b.timeline)
}

/** The timeline with the latest restorable moment, the default for `latest`. */
export function currentTimeline(ranges: readonly RestorableRange[]): number | undefined {
  let best: RestorableRange | undefined
  for (const range of ranges) {
    if (best === undefined || range.toMs > best.toMs) best = range
  }
  return best?.timeline
}

/** Disjoint intervals, oldest first, in milliseconds. */
export function restorableIntervals(
  ranges: readonly RestorableRange[],
  timeline: number,
): { readonly fromMs: number; readonly toMs: number }[] {
  const intervals: { fromMs: number; toMs: number }[] = []
  for (const { fromMs, toMs, timeline: own } of ranges) {
    if (own !== timeline) continue
    const last = intervals.at(-1)
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs)
    else intervals.push({ fromMs, toMs })
  }
  return intervals
}

/** The timelines from that of the backup to the wanted one, with their ends; undefined if there is no path. */
function pathTo(
  backup: BackupManifest,
  timeline: number,
  histories: ReadonlyMap<number, readonly Ancestor[]>,
): Ancestor[] | undefined {
  if (timeline === backup.timeline) return []
  const ancestors = histories.get(timeline) ?? []
  const from = ancestors.findIndex((ancestor) => ancestor.timeline === backup.timeline)
  const left = ancestors[from]
  // The backup must end before the timelines diverged.
  if (left === undefined || left.end < parseLsn(backup.endLsn)) return undefined
  return ancestors.slice(from)
}

function rangeTo(
  backup: BackupManifest,
  timeline: number,
  path: readonly Ancestor[],
  coverage: readonly Coverage[],
): RestorableRange {
  const fromMs = Date.parse(backup.stoppedAt)
  const fromLsn = parseLsn(backup.endLsn)
  const wal: { timeline: number; start: Lsn; end: Lsn }[] = []
  let toMs = fromMs
  let toLsn = fromLsn
  // The backup itself contains the segment in which it ends.
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
