/** What the catalog says, for people and programs. */
import { parseLsn } from '../../postgres/index.ts'
import { candidates, type Target, targetText } from '../restore/target.ts'
import type { BackupManifest } from '../types.ts'
import { type Catalog, chainOf } from './catalog.ts'
import { currentTimeline, restorableIntervals, stretchesOf } from './window.ts'

export interface Interval {
  /** ISO 8601 in UTC; both null when nothing can be restored. */
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
  /** The last stretch without a hole; `intervals` has the earlier ones too. */
  readonly restorable: Interval
  readonly intervals: readonly Interval[]
  readonly incomplete: readonly string[]
  readonly problems: Catalog['problems']
}

export function describeCatalog(catalog: Catalog): Timetable {
  const stretches = stretchesOf(catalog)
  const timeline = currentTimeline(stretches)
  const intervals = (timeline === undefined ? [] : restorableIntervals(stretches, timeline)).map(
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
  /** Ids of the backups that would be used, the full one first. */
  readonly chain: readonly string[]
  /** Bytes of their files, and of WAL at most. */
  readonly bytes: number
  readonly walBytes: number
}

/**
 * Which backups a restore would begin with. Whether the WAL has a record to stop at, only the restore tells.
 * @throws conflict with the nearest moments when none would do
 */
export function planRestore(catalog: Catalog, target: Target): RestorePlan {
  const stretches = stretchesOf(catalog)
  const [best] = candidates(stretches, target)
  if (best === undefined) throw new Error('no candidate is an error of its own')
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
