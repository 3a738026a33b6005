/** When a schedule has a run: five fields of cron on the clock of a time zone, with weekends and holidays. */

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** Days that are searched for the next run: one of 29 February is at most eight years away. */
const NEXT_WITHIN_DAYS = 8 * 366
/** Days without work in a row that a run is moved over. */
const MAX_MOVED_DAYS = 31

export interface Schedule {
  /** Five fields of cron. */
  readonly fields: string
  /** A name of the IANA time zone database. */
  readonly zone: string
  /** What falls on a weekend or a holiday takes place on the next working day. */
  readonly workingDay: boolean
  /** Local dates, such as 2026-01-01. */
  readonly holidays: readonly string[]
}

interface Fields {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly dates: readonly number[]
  readonly months: readonly number[]
  readonly weekdays: readonly number[]
}

/** The latest time after `since` and at most `until` at which the schedule has a run; all in milliseconds. */
export function previousTime(schedule: Schedule, since: number, until: number): number | undefined {
  const fields = parseFields(schedule.fields)
  const first = localDay(schedule.zone, since)
  for (let day = localDay(schedule.zone, until); day >= first; day -= DAY_MS) {
    const found = timesOf(fields, schedule, day).findLast((time) => time > since && time <= until)
    if (found !== undefined) return found
  }
  return undefined
}

/** The first time after `since` at which it has one; undefined where there is none within eight years. */
export function nextTime(schedule: Schedule, since: number): number | undefined {
  const fields = parseFields(schedule.fields)
  const first = localDay(schedule.zone, since)
  for (let day = first; day <= first + NEXT_WITHIN_DAYS * DAY_MS; day += DAY_MS) {
    const found = timesOf(fields, schedule, day).find((time) => time > since)
    if (found !== undefined) return found
  }
  return undefined
}

/** The times of one local day in ascending order. A time that the clock skips is its hour later. */
function timesOf(fields: Fields, schedule: Schedule, day: number): number[] {
  if (!hasRun(fields, schedule, day)) return []
  return fields.hours.flatMap((hour) =>
    fields.minutes.map((minute) => instantOf(schedule.zone, day + hour * HOUR_MS + minute * MINUTE_MS)),
  )
}

function hasRun(fields: Fields, schedule: Schedule, day: number): boolean {
  if (!schedule.workingDay) return matches(fields, day)
  if (!works(schedule, day)) return false
  for (let moved = 0; moved <= MAX_MOVED_DAYS; moved += 1) {
    if (matches(fields, day - moved * DAY_MS)) return true
    if (works(schedule, day - (moved + 1) * DAY_MS)) return false
  }
  return false
}

/** As cron has it: where both the date and the day of the week are restricted, either is enough. */
function matches({ dates, months, weekdays }: Fields, day: number): boolean {
  const at = new Date(day)
  if (!months.includes(at.getUTCMonth() + 1)) return false
  const byDate = dates.includes(at.getUTCDate())
  const byWeekday = weekdays.includes(at.getUTCDay())
  if (dates.length < 31 && weekdays.length < 7) return byDate || byWeekday
  return byDate && byWeekday
}

function works({ holidays }: Schedule, day: number): boolean {
  const at = new Date(day)
  const weekday = at.getUTCDay()
  return weekday !== 0 && weekday !== 6 && !holidays.includes(at.toISOString().slice(0, 10))
}

/** The local date of a moment, as midnight of that date in UTC. */
function localDay(zone: string, time: number): number {
  const local = time + offsetAt(zone, time)
  return local - (((local % DAY_MS) + DAY_MS) % DAY_MS)
}

/** The moment at which the local clock shows so many milliseconds since 1970. */
function instantOf(zone: string, local: number): number {
  const guess = local - offsetAt(zone, local)
  return local - offsetAt(zone, guess)
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Milliseconds that the clock of a zone is ahead of UTC. */
function offsetAt(zone: string, time: number): number {
  if (zone === 'UTC') return 0
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    formats.set(zone, format)
  }
  const name = format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)/.exec(name) ?? []
  if (sign === undefined) return 0
  return (sign === '-' ? -1 : 1) * (Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS)
}

const parsed = new Map<string, Fields>()

/** @throws Error when it is not five fields of cron */
function parseFields(text: string): Fields {
  const known = parsed.get(text)
  if (known !== undefined) return known
  const [minutes, hours, dates, months, weekdays, more] = text.trim().split(/ +/)
  if (more !== undefined) throw new Error(`a schedule has five fields: ${text}`)
  const fields = {
    minutes: range(minutes, 0, 59),
    hours: range(hours, 0, 23),
    dates: range(dates, 1, 31),
    months: range(months, 1, 12),
    weekdays: [...new Set(range(weekdays, 0, 7).map((day) => day % 7))],
  }
  parsed.set(text, fields)
  return fields
}

function range(text: string | undefined, low: number, high: number): number[] {
  const wanted = new Set<number>()
  for (const part of text?.split(',') ?? ['']) {
    const [, every, step, from, to] = /^(?:(\*)(?:\/(\d+))?|(\d+)(?:-(\d+))?)$/.exec(part) ?? []
    const first = every === undefined ? Number(from) : low
    const last = every === undefined ? Number(to ?? from) : high === 7 ? 6 : high
    const by = Number(step ?? 1)
    if (!(first >= low && last <= high && first <= last && by >= 1)) {
      throw new Error(`${part} is not a range within ${low} to ${high}`)
    }
    for (let value = first; value <= last; value += by) wanted.add(value)
  }
  return [...wanted].sort((a, b) => a - b)
}
