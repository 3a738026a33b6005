/** The time of day and week in one time zone, and a calendar of holidays. */
export interface Calendar {
  /** Changes of the offset from UTC, earliest first: from `at` (microseconds since 1970) on it is `offset` seconds. */
  readonly offsets: readonly { readonly at: number; readonly offset: number }[]
  /** Days since 1970 of local dates, ascending. */
  readonly holidays: readonly number[]
}

const SECONDS_A_DAY = 86_400
const MICROSECONDS = 1_000_000
const FIRST_YEAR = 2000
const LAST_YEAR = 2040
const MILLISECONDS_A_DAY = 86_400_000
/** No zone changes its offset twice within this many milliseconds. */
const STEP_MS = 7 * MILLISECONDS_A_DAY

/** @param holidays local dates such as 2026-01-01 */
export function calendarOf(timeZone: string, holidays: readonly string[]): Calendar {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  const offsetAt = (milliseconds: number) => {
    const name = format.formatToParts(milliseconds).find(({ type }) => type === 'timeZoneName')?.value ?? ''
    const match = /([+-])(\d\d):(\d\d)/.exec(name)
    return match === null
      ? 0
      : (Number(match[2]) * 3600 + Number(match[3]) * 60) * (match[1] === '-' ? -1 : 1)
  }
  const offsets = [{ at: Number.MIN_SAFE_INTEGER, offset: offsetAt(Date.UTC(FIRST_YEAR, 0, 1)) }]
  for (let day = Date.UTC(FIRST_YEAR, 0, 1); day < Date.UTC(LAST_YEAR, 0, 1); day += STEP_MS) {
    const before = offsets.at(-1)?.offset ?? 0
    const after = offsetAt(day + STEP_MS)
    if (before === after) continue
    let [low, high] = [day, day + STEP_MS]
    while (high - low > 1_000) {
      const middle = Math.floor((low + high) / 2_000) * 1_000
      if (offsetAt(middle) === before) low = middle === low ? high : middle
      else high = middle
    }
    offsets.push({ at: high * 1_000, offset: after })
  }
  const days = holidays.map((date) => Math.floor(Date.parse(`${date}T00:00:00Z`) / MILLISECONDS_A_DAY))
  return { offsets, holidays: days.filter((day) => !Number.isNaN(day)).sort((a, b) => a - b) }
}

/** Seconds of the local clock since 1970. */
export function localSeconds({ offsets }: Calendar, micros: number): number {
  const found = offsets.findLast(({ at }) => micros >= at)
  return Math.floor(micros / MICROSECONDS) + (found?.offset ?? 0)
}

export function clockPart(calendar: Calendar, part: 'hour' | 'weekday' | 'holiday', micros: number): number {
  const seconds = localSeconds(calendar, micros)
  const day = Math.floor(seconds / SECONDS_A_DAY)
  if (part === 'hour') return Math.floor((seconds - day * SECONDS_A_DAY) / 3600)
  // 1 January 1970 was a Thursday.
  if (part === 'weekday') return ((((day + 3) % 7) + 7) % 7) + 1
  return calendar.holidays.includes(day) ? 1 : 0
}
