const MILLISECONDS_A_MINUTE = 60_000
const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))$/

/** Earlier years come from an unset clock; 1969 with an offset can still be 1970 in UTC. */
const EARLIEST_YEAR = 1969

/** `milliseconds` since 1970 as `2016-12-09T22:55:48Z`, with a fraction only if there is one. */
export function formatTime(milliseconds: number): string {
  const text = new Date(milliseconds).toISOString()
  return text.endsWith('.000Z') ? `${text.slice(0, 19)}Z` : `${text.slice(0, -1).replace(/0+$/, '')}Z`
}

/** Whether year, month (1 to 12) and day form a valid date. */
export function isDate(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

/**
 * An RFC 3339 time, or ISO 8601 with the offset written `+0900`, as RFC 3339 in UTC. Keeps six digits of
 * a second, as PostgreSQL does; a leap second (`:60`) becomes the next second. Null if invalid, without offset,
 * or outside 1970 to 9999.
 */
export function normaliseTime(written: string): string | null {
  const match = TIME.exec(written)
  if (match === null) return null
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction = '',
    ,
    sign,
    offsetHour = '0',
    offsetMinute = '0',
  ] = match
  const [h, m, s, oh, om] = [
    Number(hour),
    Number(minute),
    Number(second),
    Number(offsetHour),
    Number(offsetMinute),
  ]
  if (Number(year) < EARLIEST_YEAR || h > 23 || m > 59 || s > 60 || oh > 23 || om > 59) return null
  if (!isDate(Number(year), Number(month), Number(day))) return null
  const offset = (oh * 60 + om) * (sign === '-' ? -1 : 1)
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), h, m, s)
  const instant = local - offset * MILLISECONDS_A_MINUTE
  const whole = instant >= 0 ? new Date(instant).toISOString() : ''
  if (whole.length !== 24) return null
  const digits = fraction.slice(0, 6).replace(/0+$/, '')
  return `${whole.slice(0, 19)}${digits === '' ? '' : `.${digits}`}Z`
}
