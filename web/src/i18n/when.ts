import { currentLanguage } from './index.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Date and time in the reader's time zone: “Nov 21, 2026, 9:05 AM”. */
export function moment(time: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'medium', timeStyle: 'short' }).format(
    new Date(time),
  )
}

export function day(time: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'long' }).format(new Date(time))
}

/** “Nov 21, 2026”, for a row of a table. */
export function dayOf(time: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'medium' }).format(new Date(time))
}

/** “3 minutes ago”; the date after a day. */
export function ago(time: string, now = Date.now()): string {
  const passed = now - new Date(time).getTime()
  const format = new Intl.RelativeTimeFormat(currentLanguage(), { numeric: 'auto' })
  if (passed < MINUTE_MS) return format.format(0, 'second')
  if (passed < HOUR_MS) return format.format(-Math.floor(passed / MINUTE_MS), 'minute')
  if (passed < DAY_MS) return format.format(-Math.floor(passed / HOUR_MS), 'hour')
  return moment(time)
}
