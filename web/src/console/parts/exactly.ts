import { currentLanguage } from '../../i18n/index.ts'

/** A time to the millisecond, with the reader's zone. */
export function exactly(time: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    timeZoneName: 'short',
  }).format(new Date(time))
}

/** To the second, for a row of a table; without the year while it is this one. */
export function briefly(time: string, now = new Date()): string {
  const at = new Date(time)
  return new Intl.DateTimeFormat(currentLanguage(), {
    ...(at.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }),
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).format(at)
}
