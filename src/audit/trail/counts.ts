/** How many rows of the trail fit a filter: over time, and by the values that narrow it further. */
import { intervalMinutes, type TrailCounts, trailFacets } from '@akashi/contract'
import { parseQuery } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { recordAccess } from './access.ts'
import { type TrailCountQuery, trailCountQuery } from './filter.ts'
import { conditionsOf } from './search.ts'

/** Newest rows that are counted; older ones of a longer period are not. */
export const MAX_COUNTED_ROWS = 200_000
/** Values of a facet, those with most rows first. */
const MAX_FACET_VALUES = 10
const MS_A_MINUTE = 60_000
const SECONDS_A_MINUTE = 60

/** Column of `akashi_audit.audit_logs` that each facet counts by. */
const columns = {
  table: "nullif(concat_ws('.', r.schema_name, r.table_name), '')",
  operation: 'r.operation',
  eventType: 'r.event_type',
  action: 'r.action',
  result: 'r.result',
  userId: 'r.user_id',
} as const satisfies Record<(typeof trailFacets)[number], string>

/**
 * Counts rows from `from` (inclusive) to `to` (exclusive) in intervals that begin at `from`, empty ones too.
 *
 * @throws AkashiError invalid_input with every mistake of the query
 */
export async function countTrail(
  database: Database,
  actor: Actor,
  query: TrailCountQuery,
): Promise<TrailCounts> {
  const parsed = parseQuery(trailCountQuery, query)
  const minutes = intervalMinutes[parsed.interval]
  const values: unknown[] = [MAX_COUNTED_ROWS, parsed.from, minutes * SECONDS_A_MINUTE, MAX_FACET_VALUES]
  const conditions = conditionsOf(parsed, (value) => `$${values.push(value)}`)
  const facets = trailFacets.map((facet) => `('${facet}', f."${facet}")`)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<{ facet: string; value: string; count: number }>(
      `with found as materialized (
         select floor(extract(epoch from r.created_at - $2::timestamptz) / $3::integer)::integer::text as bucket,
           ${trailFacets.map((facet) => `${columns[facet]} as "${facet}"`).join(', ')}
         from akashi_audit.audit_logs r where ${conditions.join(' and ')}
         order by r.created_at desc limit $1
       ), counted as (
         select v.facet, v.value, count(*)::integer as count,
           row_number() over (partition by v.facet order by count(*) desc, v.value) as place
         from found f, lateral (values ('bucket', f.bucket), ${facets.join(', ')}) v (facet, value)
         where v.value is not null group by v.facet, v.value
       )
       select facet, value, count from counted where facet = 'bucket' or place <= $4 order by place`,
      values,
    )
    const valuesOf = (facet: string) =>
      rows.filter((row) => row.facet === facet).map(({ value, count }) => ({ value, count }))
    const inBucket = new Map(valuesOf('bucket').map(({ value, count }) => [Number(value), count]))
    const total = [...inBucket.values()].reduce((sum, count) => sum + count, 0)
    const from = Date.parse(parsed.from)
    const buckets = Math.ceil((Date.parse(parsed.to) - from) / (minutes * MS_A_MINUTE))
    await recordAccess(session, 'akashi_audit.audit_logs', { ...parsed, counted: total }, [])
    return {
      total,
      complete: total < MAX_COUNTED_ROWS,
      buckets: Array.from({ length: buckets }, (_, index) => ({
        at: new Date(from + index * minutes * MS_A_MINUTE).toISOString(),
        count: inBucket.get(index) ?? 0,
      })),
      facets: trailFacets.map((name) => ({ name, values: valuesOf(name) })),
    }
  })
}
