/** Descriptions of the catalog for CLI and HTTP. */
import { parseLsn } from '../../postgres/index.ts'
import { candidates, type Target, targetText } from '../restore/target.ts'
import type { BackupManifest } from '../types.ts'
import { type Catalog, chainOf } from './catalog.ts'
import { currentTimeline, restorableIntervals, restorableRanges } from './window.ts'

export interface Interval {
  /** ISO 8601 in UTC; both null if nothing can be restored. */
  readonly from: string | null
  readonly to: string | null
}

export interface Timetable {
  readonly cluster: string
  readonly backups: readonly (Omit<BackupManifest, 'objects' | 'mac' | 'tablespaces'> & {
    readonly objects: number
    readonly tablespaces: number
  })[]
  readonly timeline: number | null
  /** The last interval without a gap; `intervals` has the earlier ones too. */
  readonly restorable: Interval
  readonly intervals: readonly Interval[]
  readonly incomplete: readonly string[]
  readonly problems: Catalog['problems']
}

export function describeCatalog(catalog: Catalog): Timetable {
  const ranges = restorableRanges(catalog)
  const timeline = currentTimeline(ranges)
  const intervals = (timeline === undefined ? [] : restorableIntervals(ranges, timeline)).map(
    ({ fromMs, toMs }) => ({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }),
  )
  return {
    cluster: catalog.systemId,
    backups: catalog.backups.map(({ objects, mac: _, tablespaces, ...rest }) => ({
      ...rest,
      objects: objects.length,
      tablespaces: tablespaces.length,
    })),
    timeline: timeline ?? null,
    restorable: intervals.at(-1) ?? { from: null, to: null },
    intervals,
    incomplete: catalog.incomplete,
    problems: catalog.problems,
  }
}

export interface RestorePlan {
  readonly target: string
  readonly timeline: number
  /** Ids of the backups to use, the full one first. */
  readonly chain: readonly string[]
  /** Bytes of their files, and maximum bytes of WAL. */
  readonly bytes: number
  readonly walBytes: number
}

/**
 * Plans which backups a restore uses. Only the restore itself finds out whether the WAL has a record to stop at.
 * @throws conflict with the nearest restorable moments if there is no backup for the target
 */
export function planRestore(catalog: Catalog, target: Target): RestorePlan {
  const ranges = restorableRanges(catalog)
  const [best] = candidates(ranges, target)
  if (best === undefined) throw new Error('candidates() throws if there are none')
  const chain = chainOf(catalog.backups, best.backup) ?? []
  const from = parseLsn(best.backup.endLsn)
  return {
    target: targetText(target),
    timeline: best.timeline,
    chain: chain.map(({ id }) => id),
    bytes: chain.reduce((sum, { bytes }) => sum + bytes, 0),
    walBytes: Math.max(0, Number(best.toLsn - from)),
  }
}
