import { randomInt } from 'node:crypto'
import { currentTimeline, type RestorableRange } from '../catalog/window.ts'

export interface Moment {
  /** Milliseconds since 1970. */
  readonly ms: number
  /** Whether it can be restored both with incrementals and from a full backup alone. */
  readonly comparable: boolean
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * A random restorable moment; if there are incrementals, one restored through them, so that both ways can be
 * compared. undefined if nothing can be restored.
 */
export function chooseMoment(
  ranges: readonly RestorableRange[],
  pick: (below: number) => number = (below) => randomInt(below),
): Moment | undefined {
  const timeline = currentTimeline(ranges)
  const own = ranges.filter((range) => range.timeline === timeline)
  const comparable = own.flatMap((range, i) => {
    if (range.backup.kind === 'full') return []
    // A restore uses the newest backup before its target, so this one until the next.
    const toMs = Math.min(range.toMs, (own[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY) - 1)
    return own
      .filter(({ backup, fromMs }) => backup.kind === 'full' && fromMs <= range.fromMs)
      .map((full) => ({ fromMs: range.fromMs, toMs: Math.min(toMs, full.toMs) }))
      .slice(-1)
  })
  const both = pickIn(comparable, pick)
  if (both !== undefined) return { ms: both, comparable: true }
  const any = pickIn(own, pick)
  return any === undefined ? undefined : { ms: any, comparable: false }
}

function pickIn(spans: readonly Span[], pick: (below: number) => number): number | undefined {
  const usable = spans.filter(({ fromMs, toMs }) => toMs >= fromMs)
  const total = usable.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs + 1, 0)
  if (total === 0) return undefined
  let left = pick(total)
  for (const { fromMs, toMs } of usable) {
    const length = toMs - fromMs + 1
    if (left < length) return fromMs + left
    left -= length
  }
  return undefined
}
