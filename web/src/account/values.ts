/** Columns and values of the trail, in the reader's words. */
import { moment } from '../i18n/when.ts'
import type { en } from './locales/en.ts'
import type { AccountTexts } from './locales/index.ts'

type Field = keyof typeof en.fields

/** A column by its name in the reader's language; one that has none by its own. */
export function fieldName(t: AccountTexts, column: string): string {
  return t(`fields.${column as Field}`, { defaultValue: column.replaceAll('_', ' ') })
}

const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}(:?\d{2})?)$/

/** A value as text: times in the reader's zone, rooms by name, digests as what they are. */
export function valueText(
  t: AccountTexts,
  value: unknown,
  rooms: ReadonlyMap<string, string | null>,
): string {
  if (value === undefined || value === null || value === '') return t('value.none')
  if (value === true) return t('value.yes')
  if (value === false) return t('value.no')
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') {
    if (TIME.test(value) && !Number.isNaN(Date.parse(value))) return moment(value)
    const room = rooms.get(value)
    return room === null ? t('aDirect') : (room ?? value)
  }
  if (isDigest(value)) return t('value.hidden')
  if (Array.isArray(value)) {
    return value.length === 0 ? t('value.none') : value.map((each) => valueText(t, each, rooms)).join(', ')
  }
  return JSON.stringify(value)
}

function isDigest(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'sha256' in value
}
