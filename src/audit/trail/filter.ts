/** The fields of a search in the trail, validated in one place with all mistakes reported together. */
import { intervalMinutes, MAX_BUCKETS, timelineIntervals } from '@akashi/contract'
import { z } from 'zod'
import { betweenFields, filterField, inOrder } from '../../foundation/index.ts'

const { value, text, time, address, limit } = filterField

export const trailConditions = z.strictObject({
  schema: value.optional(),
  table: value.optional(),
  recordId: value.optional(),
  userId: value.optional(),
  sessionId: value.optional(),
  /** An IP address, or a network such as 192.0.2.0/24. */
  address: address.optional(),
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
})

export const trailFilter = trailConditions
  .extend({
    text: text.optional(),
    cursor: z.string().optional(),
    limit,
  })
  .check(
    betweenFields(
      'text',
      'needs a table or a time range (from) beside it',
      (filter) => filter.text === undefined || filter.table !== undefined || filter.from !== undefined,
    ),
    betweenFields('to', 'is not after from', inOrder),
  )

/** What people may ask of the rows of their own actions, and of those about them. */
export const ownTrailFilter = z
  .strictObject({
    schema: value.optional(),
    table: value.optional(),
    from: time.optional(),
    to: time.optional(),
    cursor: z.string().optional(),
    limit,
  })
  .check(betweenFields('to', 'is not after from', inOrder))

export type OwnTrailFilter = z.input<typeof ownTrailFilter>

const MS_A_MINUTE = 60_000

export const trailCountQuery = trailConditions
  .extend({ from: time, to: time, interval: z.enum(timelineIntervals) })
  .check(
    betweenFields('to', 'is not after from', inOrder),
    z.refine(
      ({ from, to, interval }) =>
        Date.parse(to) - Date.parse(from) <= MAX_BUCKETS * intervalMinutes[interval] * MS_A_MINUTE,
      { path: ['interval'], error: `has more than ${MAX_BUCKETS} buckets` },
    ),
  )

export type TrailCountQuery = z.input<typeof trailCountQuery>

/** See {@link trailFilter}; omitted fields do not narrow the search. */
export type TrailFilter = z.input<typeof trailFilter>

export const recordQuery = z.strictObject({
  schema: value.default('public'),
  table: value,
  recordId: value,
  cursor: z.string().optional(),
  limit,
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
