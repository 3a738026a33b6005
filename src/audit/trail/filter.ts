/** What may be asked of the trail, checked in one place with every mistake reported at once. */
import { z } from 'zod'

/** Rows of one page unless the caller says otherwise, and at most. */
export const DEFAULT_PAGE_ROWS = 50
export const MAX_PAGE_ROWS = 500

/** Longest value that is compared, in characters. */
const MAX_VALUE_LENGTH = 1_000
/** Longest text that is looked for in values, in characters. */
const MAX_TEXT_LENGTH = 200

/** PostgreSQL holds neither U+0000 nor half of a surrogate pair. */
const storable = (value: string): boolean => value.isWellFormed() && !value.includes('\u0000')

const value = z
  .string()
  .min(1, 'is empty')
  .max(MAX_VALUE_LENGTH, `is over ${MAX_VALUE_LENGTH} characters`)
  .refine(storable, 'holds a character that no value holds')

const time = z.iso.datetime({ offset: true, error: 'is no ISO 8601 time with an offset' })
/** Rows of a page. */
export const pageLimit = z
  .int('is no whole number')
  .min(1, 'is below 1')
  .max(MAX_PAGE_ROWS, `is over ${MAX_PAGE_ROWS}`)
  .default(DEFAULT_PAGE_ROWS)

export const trailFilter = z
  .strictObject({
    schema: value.optional(),
    table: value.optional(),
    recordId: value.optional(),
    userId: value.optional(),
    sessionId: value.optional(),
    /** An IP address, or a network such as 192.0.2.0/24. */
    address: z
      .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: 'is no IP address or network' })
      .optional(),
    resource: value.optional(),
    resourceId: value.optional(),
    requestId: value.optional(),
    traceId: value.optional(),
    correlationId: value.optional(),
    /** Rows at or after. */
    from: time.optional(),
    /** Rows before. */
    to: time.optional(),
    action: value.optional(),
    operation: z.enum(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']).optional(),
    eventType: value.optional(),
    result: value.optional(),
    tenantId: value.optional(),
    classification: z.enum(['public', 'internal', 'confidential', 'restricted']).optional(),
    dataSubject: value.optional(),
    text: value.max(MAX_TEXT_LENGTH, `is over ${MAX_TEXT_LENGTH} characters`).optional(),
    cursor: z.string().optional(),
    limit: pageLimit,
  })
  .check(
    z.refine(({ text, table, from }) => text === undefined || table !== undefined || from !== undefined, {
      path: ['text'],
      error: 'needs a table or a time range (from) beside it',
      when: always,
    }),
    z.refine(
      ({ from, to }) => from === undefined || to === undefined || !(Date.parse(from) >= Date.parse(to)),
      {
        path: ['to'],
        error: 'is not after from',
        when: always,
      },
    ),
  )

/** Checks between fields are made also when single fields are wrong, so that no mistake hides another. */
function always({ value: filter }: { value: unknown }): boolean {
  return typeof filter === 'object' && filter !== null
}

/** See {@link trailFilter}; whatever is left out does not narrow the search. */
export type TrailFilter = z.input<typeof trailFilter>

export const recordQuery = z.strictObject({
  schema: value.default('public'),
  table: value,
  recordId: value,
  cursor: z.string().optional(),
  limit: pageLimit,
})

/** One record: its table and its key as the trail writes it. */
export type RecordQuery = z.input<typeof recordQuery>

export const recordAsOfQuery = z.strictObject({
  schema: value.default('public'),
  table: value,
  recordId: value,
  at: time,
})

export type RecordAsOfQuery = z.input<typeof recordAsOfQuery>
