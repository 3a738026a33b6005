import { AkashiError } from '../foundation/index.ts'

const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/

/** @throws invalid_input unless it is YYYY-MM */
export function parseMonth(text: string): string {
  if (!MONTH.test(text)) {
    throw new AkashiError('invalid_input', `${JSON.stringify(text)} is not a month`, {
      hint: 'write YYYY-MM, such as 2026-10',
    })
  }
  return text
}

/** YYYY-MM of a moment in a time zone. */
export function monthOf(moment: Date, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit' })
  return parts.format(moment).slice(0, 7)
}

export function monthBefore(month: string): string {
  const [, year = '', number = ''] = MONTH.exec(parseMonth(month)) ?? []
  const date = new Date(Date.UTC(Number(year), Number(number) - 2, 1))
  return date.toISOString().slice(0, 7)
}
