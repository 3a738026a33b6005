import type { YearlessTime } from './syslog-year.ts'
import { dayOfYear, FUTURE_TOLERANCE_MS, localTime, YearScan, yearStep } from './syslog-year.ts'
import { formatTime } from './time.ts'
import type { Zone } from './zone.ts'

/** When clocks are set back, an hour repeats; a line this much before the previous one is in its second pass. */
const DISORDER_MS = 5 * 60_000

export interface SyslogClock {
  /** The year of the last line; null before the first. */
  readonly year: number | null
  /** The time of a line as RFC 3339 in UTC, or null and the reason. */
  resolve(
    time: YearlessTime,
  ): { readonly time: string; readonly reason: null } | { readonly time: null; readonly reason: string }
}

/**
 * Adds year and zone to the times of a traditional syslog, line by line. `firstYear` is the year of the first
 * line, by default the latest one not after `asOf`. Deterministic: the same lines from the start give the same
 * times, however they are chunked.
 */
export function createSyslogClock(zone: Zone, asOf: Date, firstYear: number | null): SyslogClock {
  const latest = asOf.getTime() + FUTURE_TOLERANCE_MS
  let year = firstYear
  let previousDay: number | null = null
  let previousInstant = Number.NEGATIVE_INFINITY
  let lastTime: YearlessTime | null = null
  let lastResult: ReturnType<SyslogClock['resolve']> | null = null

  const compute = (time: YearlessTime): ReturnType<SyslogClock['resolve']> => {
    if (time.year !== undefined) return dated(time, time.year)
    year ??= inferred(zone, asOf, time)
    if (year === null) return none(`no year places this before ${formatTime(asOf.getTime())}`)
    const day = dayOfYear(time)
    const step = previousDay === null ? 0 : yearStep(previousDay, day)
    const local = localTime(year + step, time)
    if (local === null) return none(`${year + step} has no 29 February`)
    const [first = Number.NaN, second] = zone.instants(local)
    const instant = second !== undefined && first < previousInstant - DISORDER_MS ? second : first
    if (instant > latest) return none(`in the future as of ${formatTime(asOf.getTime())}`)
    if (step >= 0) {
      year += step
      previousDay = day
      previousInstant = instant
    }
    return { time: formatTime(instant), reason: null }
  }

  const dated = (time: YearlessTime, written: number): ReturnType<SyslogClock['resolve']> => {
    const local = localTime(written, time)
    if (local === null) return none(`${written} has no 29 February`)
    const [instant = Number.NaN] = zone.instants(local)
    if (instant < 0) return none('before 1970')
    return instant > latest
      ? none(`in the future as of ${formatTime(asOf.getTime())}`)
      : { time: formatTime(instant), reason: null }
  }

  return {
    get year() {
      return year
    },
    resolve(time) {
      const same =
        lastTime !== null &&
        time.clock === lastTime.clock &&
        time.day === lastTime.day &&
        time.year === lastTime.year
      if (!same || time.month !== lastTime?.month || lastResult === null) {
        lastTime = time
        lastResult = compute(time)
      }
      return lastResult
    },
  }
}

function none(reason: string): { readonly time: null; readonly reason: string } {
  return { time: null, reason }
}

function inferred(zone: Zone, asOf: Date, first: YearlessTime): number | null {
  const scan = new YearScan()
  scan.push(first)
  return scan.firstYear(zone, asOf)
}
