/** Counts events per interval, including empty ones. The audit trail records each query. */
import { intervalMinutes, MAX_BUCKETS, type TimelineInterval, timelineIntervals } from '@akashi/contract'
import { z } from 'zod'
import { betweenFields, filterField, inOrder, parseQuery } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { type Severity, severities } from '../event.ts'
import { recordAccess } from './access.ts'
import { conditionsOf, eventConditions } from './filter.ts'

const MILLISECONDS_A_MINUTE = 60_000

export const timelineQuery = z
  .strictObject({
    ...eventConditions,
    from: filterField.time,
    to: filterField.time,
    interval: z.enum(timelineIntervals),
  })
  .check(
    betweenFields('to', 'is not after from', inOrder),
    z.refine(({ from, to, interval }) => bucketsOf(from, to, interval) <= MAX_BUCKETS, {
      path: ['interval'],
      error: `has more than ${MAX_BUCKETS} buckets`,
    }),
  )

export type TimelineQuery = z.input<typeof timelineQuery>

export interface Bucket {
  /** Start of the interval, ISO 8601 in UTC; the first begins at `from`. */
  readonly at: string
  readonly count: number
  readonly severities: Readonly<Record<Severity, number>>
}

export interface Timeline {
  readonly interval: TimelineInterval
  readonly total: number
  readonly buckets: readonly Bucket[]
}

/**
 * Counts per interval from `from` (inclusive) to `to` (exclusive), including empty ones. Buckets are aligned to
 * `from`, so for local days pass local midnight.
 *
 * @throws AkashiError invalid_input with every mistake of the query
 */
export async function eventTimeline(
  database: Database,
  actor: Actor,
  query: TimelineQuery,
): Promise<Timeline> {
  const parsed = parseQuery(timelineQuery, query)
  const { interval, from, to } = parsed
  const values: unknown[] = [from, to, `${intervalMinutes[interval]} minutes`]
  const conditions = conditionsOf(parsed, (value) => `$${values.push(value)}`)
  const counts = severities.map(
    (severity) => `count(*) filter (where e.severity = '${severity}')::integer as ${severity}`,
  )
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<{ at: string; count: number } & Record<Severity, number>>(
      `with counted as (
           select date_bin($3::interval, e.created_at, $1::timestamptz) as at, count(*)::integer as count, ${counts.join(', ')}
           from akashi_security.v_security_events e where ${conditions.join(' and ')} group by 1
         )
         select b.at, coalesce(c.count, 0) as count, ${severities.map((severity) => `coalesce(c.${severity}, 0) as ${severity}`).join(', ')}
         from generate_series($1::timestamptz, $2::timestamptz - interval '1 microsecond', $3::interval) b (at)
         left join counted c using (at) order by b.at`,
      values,
    )
    const buckets = rows.map(({ at, count, ...bySeverity }) => ({ at, count, severities: bySeverity }))
    const total = buckets.reduce((sum, { count }) => sum + count, 0)
    await recordAccess(session, parsed, { counted: total })
    return { interval, total, buckets }
  })
}

function bucketsOf(from: string, to: string, interval: TimelineInterval): number {
  return Math.ceil((Date.parse(to) - Date.parse(from)) / (intervalMinutes[interval] * MILLISECONDS_A_MINUTE))
}
