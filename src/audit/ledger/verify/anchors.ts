/** Moments at which a transaction is known to have been under way, so that every later one began after them. */
import type { Session } from '../../../postgres/index.ts'
import type { Head } from '../store.ts'

/** How far the server's clock may have been set back, in seconds. */
export const CLOCK_TOLERANCE_S = 300

/** Anchors that rows are compared with: all of the newest, and every so many-th of the older ones. */
const MAX_ANCHORS = 10_000

export interface Anchors {
  /** Ascending, decimals. */
  readonly xids: readonly string[]
  /** The latest time that is known for each transaction or one before it, ascending. */
  readonly times: readonly string[]
}

/**
 * Checkpoints of the present epoch as they were published, and records of the catalog of this cluster: each says when
 * its transaction wrote it. Numbers of transactions of another cluster mean nothing here.
 */
export async function readAnchors(session: Session, head: Head): Promise<Anchors> {
  const { rows } = await session.query<{ xid: string; at: string }>(
    `with known (xid, at) as (
       select c.xid, c.published_at from akashi_audit.ledger_checkpoints c where c.log = $1 and c.epoch = $2
       union all
       select (r.row ->> 'xid')::xid8, (r.row ->> 'created_at')::timestamptz from akashi_audit.catalog_records r
       where r.number >= (
         select max(w.number) from akashi_audit.catalog_records w
         where w.row -> 'detail' ->> 'system_identifier' = (select s.system_identifier::text from akashi_audit.system_identity() s)
           and w.row -> 'detail' ->> 'system_identifier' = $3
       )
     ), placed as (
       select xid, max(at) over (order by xid) as at, row_number() over (order by xid desc) as age from known
     )
     select xid::text, at::text from placed where age <= $4 or age % (1 + (select max(age) from placed) / $4) = 0 order by placed.xid`,
    [head.log, head.epoch, head.systemIdentifier, MAX_ANCHORS],
  )
  return { xids: rows.map(({ xid }) => xid), times: rows.map(({ at }) => at) }
}
