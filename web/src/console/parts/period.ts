import { intervalMinutes, type TimelineInterval } from '@akashi/contract'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MINUTE_MS = 60_000

/** Periods up to now, each with the width of a bar of its chart. */
const periods = {
  '1h': { ms: HOUR_MS, interval: '1m' },
  '24h': { ms: DAY_MS, interval: '1h' },
  '7d': { ms: 7 * DAY_MS, interval: '6h' },
  '30d': { ms: 30 * DAY_MS, interval: '1d' },
  '90d': { ms: 90 * DAY_MS, interval: '1d' },
} as const satisfies Record<string, { readonly ms: number; readonly interval: TimelineInterval }>
export type Period = keyof typeof periods
export const periodNames: readonly Period[] = ['1h', '24h', '7d', '30d', '90d']

/** The period of that name, or the default. */
export function periodNamed(name: string, otherwise: Period): Period {
  return periodNames.find((period) => period === name) ?? otherwise
}

interface Bounds {
  readonly from: string
  readonly to: string
  readonly interval: TimelineInterval
}

/**
 * From when to when. Ends with the bar that is now, which begins at a whole hour or midnight of the reader, so that a
 * screen that is drawn again asks for the same.
 */
export function boundsOf(period: Period, now = Date.now()): Bounds {
  const { ms, interval } = periods[period]
  const bar = intervalMinutes[interval] * MINUTE_MS
  const offset = new Date(now).getTimezoneOffset() * MINUTE_MS
  const to = Math.floor((now - offset) / bar + 1) * bar + offset
  return { from: new Date(to - ms).toISOString(), to: new Date(to).toISOString(), interval }
}
