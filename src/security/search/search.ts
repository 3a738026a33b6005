/**
 * Searches events, newest first, page by page, with the rights of the given database role. It also reads
 * remediations, so only security administrators and the worker can use it. The audit trail records each page.
 */
import { z } from 'zod'
import {
  AkashiError,
  containing,
  escapedAsJson,
  pageAfter,
  parseQuery,
  type Scanned,
  toPage,
} from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { recordAccess } from './access.ts'
import { conditionsOf, type EventFilter, eventFilter } from './filter.ts'
import { type EventRow, eventColumns } from './row.ts'

/**
 * Maximum events that one page scans for `text`. A page that reaches it may have fewer rows than its limit, even
 * none, and still have a `next`.
 */
export const TEXT_SCAN_EVENTS = 20_000

export interface EventPage {
  readonly rows: readonly EventRow[]
  /** Cursor of the next page; null on the last page. */
  readonly next: string | null
}

type Found = EventRow & Scanned

/**
 * One page of events that match every field of the filter.
 *
 * @throws AkashiError invalid_input with every mistake of the filter, or for an invalid cursor
 */
export async function searchEvents(
  database: Database,
  actor: Actor,
  filter: EventFilter,
): Promise<EventPage> {
  const parsed = parseQuery(eventFilter, filter)
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions = conditionsOf(parsed, parameter)
  if (parsed.cursor !== undefined) {
    const [at, id] = pageAfter(parsed.cursor).map(parameter)
    // A row comparison does not prune partitions; the first condition does.
    conditions.push(
      `e.created_at <= ${at}::timestamptz and (e.created_at, e.id) < (${at}::timestamptz, ${id}::uuid)`,
    )
  }
  const { text: wanted, limit } = parsed
  const scan = parameter(wanted === undefined ? limit + 1 : TEXT_SCAN_EVENTS)
  const matches = wanted === undefined ? 'true' : textMatches(wanted, parameter)
  const text = `
    with scanned as materialized (
      select e.* from akashi_security.v_security_events e
      ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
      order by e.created_at desc, e.id desc limit ${scan}
    ), matched as (
      select s.* from scanned s where ${matches} order by s.created_at desc, s.id desc limit ${parameter(limit + 1)}
    ), behind as (
      select created_at, id from scanned
      where (select count(*) from scanned) = ${scan} order by created_at, id limit 1
    )
    select m.id is not null as found, b.created_at as "lastAt", b.id as "lastId", ${eventColumns('m')}
    from (values (1)) as one left join behind b on true left join matched m on true
    order by m.created_at desc, m.id desc`
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<Found>(text, values)
    const page = toPage(limit, rows)
    await recordAccess(session, recordedFilter(parsed), { events: page.rows.map(({ id }) => id) })
    return page
  })
}

/** The filter as recorded in the trail: without cursor and unset fields. */
function recordedFilter({ cursor: _, ...filter }: z.output<typeof eventFilter>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}

/**
 * One event.
 *
 * @throws AkashiError not_found for an unknown or archived event
 */
export async function readEvent(database: Database, actor: Actor, eventId: string): Promise<EventRow> {
  const id = parseQuery(z.guid('is not a UUID'), eventId)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<EventRow>(
      `select ${eventColumns('e')} from akashi_security.v_security_events e where e.id = $1`,
      [id],
    )
    const [row] = rows
    if (row === undefined) throw new AkashiError('not_found', `no event ${id}`)
    await recordAccess(session, { id }, { events: [id] })
    return row
  })
}

function textMatches(wanted: string, parameter: (value: unknown) => string): string {
  const plain = parameter(containing(wanted))
  // Escaped as JSON, since the stored text escapes quotes, backslashes and control characters too.
  const json = parameter(containing(escapedAsJson(wanted)))
  return `(s.description ilike ${plain} or s.event_details::text ilike ${json})`
}
