import { randomInt } from 'node:crypto'
import { currentTimeline, type Stretch } from '../catalog/window.ts'

export interface Moment {
  /** Milliseconds since 1970. */
  readonly ms: number
  /** Whether two ways lead there: with incrementals, and from a full backup alone. */
  readonly comparable: boolean
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * A random moment that can be restored; where incrementals are, one that is restored through them, so that both
 * ways can be compared. undefined when nothing can be restored.
 */
export function chooseMoment(
  stretches: readonly Stretch[],
  pick: (below: number) => number = (below) => randomInt(below),
): Moment | undefined {
  const timeline = currentTimeline(stretches)
  const own = stretches.filter((stretch) => stretch.timeline === timeline)
  const comparable = own.flatMap((stretch, i) => {
    if (stretch.backup.kind === 'full') return []
    // A restore begins with the newest backup before its target: up to the next one it is this.
    const toMs = Math.min(stretch.toMs, (own[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY) - 1)
    return own
      .filter(({ backup, fromMs }) => backup.kind === 'full' && fromMs <= stretch.fromMs)
      .map((full) => ({ fromMs: stretch.fromMs, toMs: Math.min(toMs, full.toMs) }))
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
