import { isDate } from './time.ts'
import type { Zone } from './zone.ts'

/** Traditional syslog times have no year. Time runs forward, so a step back by months means a new year. */

const MILLISECONDS_A_DAY = 86_400_000
const A_LEAP_YEAR = 2000
/** Lines may be out of order and clocks are set back, but by less than this. */
const BACKWARD_DAYS = 7
const DAYS_A_YEAR = 366
/** Enough to reach a 29 February across a century without leap day. */
const YEARS_TO_TRY = 9
/** Tolerated difference between the clock of a host and `asOf`. */
export const FUTURE_TOLERANCE_MS = MILLISECONDS_A_DAY

/** A wall-clock time, usually without a year. Month and day count from 1. */
export interface YearlessTime {
  /** Only in the rare logs that write it. */
  readonly year?: number
  readonly month: number
  readonly day: number
  /** Milliseconds since midnight. */
  readonly clock: number
}

/** Day of the year of a time; the same in leap years and others. */
export function dayOfYear(time: YearlessTime): number {
  const day = Date.UTC(A_LEAP_YEAR, time.month - 1, time.day) - Date.UTC(A_LEAP_YEAR, 0, 1)
  return (day + time.clock) / MILLISECONDS_A_DAY
}

/** Year difference between a line and the one before it: 1, 0, or -1 for a late line. */
export function yearStep(previous: number, next: number): -1 | 0 | 1 {
  if (next < previous - BACKWARD_DAYS) return 1
  return next > previous + DAYS_A_YEAR - BACKWARD_DAYS ? -1 : 0
}

/** The local time as if it were UTC, in milliseconds since 1970; null if the year has no such day. */
export function localTime(year: number, time: YearlessTime): number | null {
  if (!isDate(year, time.month, time.day)) return null
  return Date.UTC(year, time.month - 1, time.day) + time.clock
}

/** Counts the year changes of a log to infer the year of its first line. */
export class YearScan {
  #last: YearlessTime | null = null
  #lastDay = 0
  #turns = 0
  readonly #leapTurns: number[] = []

  push(time: YearlessTime): void {
    if (time.year !== undefined) return
    const day = dayOfYear(time)
    const step = this.#last === null ? 0 : yearStep(this.#lastDay, day)
    if (step >= 0) {
      this.#turns += step
      this.#last = time
      this.#lastDay = day
    }
    if (time.month === 2 && time.day === 29) this.#leapTurns.push(this.#turns + Math.min(step, 0))
    if (this.#leapTurns.length > YEARS_TO_TRY) this.#leapTurns.length = YEARS_TO_TRY
  }

  /** The latest year of the first line for which no line is after `asOf`; null if there is none. */
  firstYear(zone: Zone, asOf: Date): number | null {
    const last = this.#last
    if (last === null) return null
    const latest = asOf.getTime() + FUTURE_TOLERANCE_MS
    const newest = new Date(latest).getUTCFullYear() + 1
    for (let year = newest; year > newest - YEARS_TO_TRY - 1; year -= 1) {
      const local = localTime(year, last)
      if (local === null || (zone.instants(local)[0] ?? Number.POSITIVE_INFINITY) > latest) continue
      const first = year - this.#turns
      if (this.#leapTurns.every((turn) => isDate(first + turn, 2, 29))) return first
    }
    return null
  }
}
