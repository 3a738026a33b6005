/** What searches share: the fields of their filters, and pages of the newest rows first. */
import { z } from 'zod'
import { decodeCursor, encodeCursor, exactTime } from './cursor.ts'

/** Default and maximum rows of a page. */
const DEFAULT_PAGE_ROWS = 50
const MAX_PAGE_ROWS = 500
/** Longest value in an equality filter, in characters. */
const MAX_VALUE_LENGTH = 1_000
/** Longest search text, in characters. */
const MAX_TEXT_LENGTH = 200

/** PostgreSQL cannot store U+0000 or lone surrogates. */
const storable = (text: string): boolean => text.isWellFormed() && !text.includes('\u0000')

const value = z
  .string()
  .min(1, 'is empty')
  .max(MAX_VALUE_LENGTH, `is over ${MAX_VALUE_LENGTH} characters`)
  .refine(storable, 'contains U+0000 or a lone surrogate')

/** Fields of filters; {@link parseQuery} reports all their mistakes at once. */
export const filterField = {
  value,
  text: value.max(MAX_TEXT_LENGTH, `is over ${MAX_TEXT_LENGTH} characters`),
  time: z.iso.datetime({ offset: true, error: 'is not an ISO 8601 time with an offset' }),
  /** An address or a network such as `2001:db8::/32`. */
  address: z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'is neither an address nor a network'),
  limit: z
    .int('is not a whole number')
    .min(1, 'is below 1')
    .max(MAX_PAGE_ROWS, `is over ${MAX_PAGE_ROWS}`)
    .default(DEFAULT_PAGE_ROWS),
}

/** A check between fields, made also when single fields are wrong, so that no mistake hides another. */
export function betweenFields<Filter>(path: string, error: string, holds: (filter: Filter) => boolean) {
  return z.refine<Filter>(holds, {
    path: [path],
    error,
    when: ({ value: filter }) => typeof filter === 'object' && filter !== null,
  })
}

/** False only for two times of which the second is not after the first. */
export function inOrder({
  from,
  to,
}: {
  readonly from?: string | undefined
  readonly to?: string | undefined
}) {
  return from === undefined || to === undefined || !(Date.parse(from) >= Date.parse(to))
}

/** For LIKE: any text that contains this one. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`
}

/** The text as JSON escapes it: quotes, backslashes and control characters. */
export function escapedAsJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

const place = z.tuple([exactTime, z.guid()])

/** Time and id of the last row of the page before. */
export function pageAfter(cursor: string): [createdAt: string, id: string] {
  return decodeCursor(cursor, place)
}

/** A row of a page, or the only row of an empty page, which says how far that page scanned. */
export interface Scanned {
  readonly found: boolean
  /** Set if unscanned rows remain. */
  readonly lastAt: string | null
  readonly lastId: string | null
}

/** The rows of a page, of which one more than `limit` was asked for, and the cursor of the next page. */
export function toPage<Row extends { readonly createdAt: string; readonly id: string }>(
  limit: number,
  scanned: readonly (Row & Scanned)[],
): { readonly rows: readonly Omit<Row, keyof Scanned>[]; readonly next: string | null } {
  const found = scanned.filter((row) => row.found)
  const shown = found.slice(0, limit)
  const last = shown.at(-1)
  const rows = shown.map(({ found: _, lastAt, lastId, ...row }) => row)
  if (found.length > limit && last !== undefined)
    return { rows, next: encodeCursor([last.createdAt, last.id]) }
  const { lastAt = null, lastId = null } = scanned[0] ?? {}
  return { rows, next: lastAt === null || lastId === null ? null : encodeCursor([lastAt, lastId]) }
}
