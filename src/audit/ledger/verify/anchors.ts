/** Times of known transactions: every later transaction began after them. */
import type { Session } from '../../../postgres/index.ts'
import type { Head } from '../store.ts'

/** How far the server's clock may have been set back, in seconds. */
export const CLOCK_TOLERANCE_S = 300

/** Anchors that rows are compared with: all of the newest, and a regular selection of the older ones. */
const MAX_ANCHORS = 10_000

export interface Anchors {
  /** Ascending, decimals. */
  readonly xids: readonly string[]
  /** The latest known time of each transaction or an earlier one, ascending. */
  readonly times: readonly string[]
}

/**
 * Published checkpoints of the present epoch, and catalog records of this cluster: each has the time at which its
 * transaction wrote it. Transaction numbers of other clusters cannot be compared.
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
