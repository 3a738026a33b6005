import { currentLanguage } from '../../i18n/index.ts'

/** “October 2026” of `2026-10`. */
export function monthOf(month: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), {
    year: 'numeric',
    month: 'long',
    timeZone: 'UTC',
  }).format(new Date(`${month}-01T00:00:00Z`))
}

/** Months that have ended, as `2026-10`, newest first. */
export function endedMonths(count: number, now = new Date()): readonly string[] {
  return Array.from({ length: count }, (_, back) =>
    new Date(Date.UTC(now.getFullYear(), now.getMonth() - 1 - back, 1)).toISOString().slice(0, 7),
  )
}
