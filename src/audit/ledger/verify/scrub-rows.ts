import type { Session } from '../../../postgres/index.ts'
import type { LogVerification } from './log-verification.ts'
import { describe } from './rows.ts'

/** A position in the order in which rows are sealed. */
export interface Cursor {
  readonly xid: string
  readonly seq: string
}

const START: Cursor = { xid: '0', seq: '0' }

/**
 * Checks that the next rows after the stored cursor have entries, without hashing them. Returns the next cursor, which
 * is the start again after the frontier was reached.
 */
export async function addedRows(
  { session, log, head, problems }: LogVerification,
  limit: number,
): Promise<Cursor> {
  const { rows: places } = await session.query<Cursor>(
    'select scrub_xid::text as xid, scrub_seq::text as seq from akashi_audit.verified_heads where log = $1',
    [log.log],
  )
  const from = places[0] ?? START
  await session.query("select set_config('enable_seqscan', 'off', true)")
  // Entries are looked up by row alone (offset 0), or the planner may choose the index that begins with the log.
  const { rows } = await session.query<
    Cursor & { looked: number; added: { id: string; at: string }[] | null }
  >(
    `with next as materialized (
       select r.id, r.created_at, r.xid, r.seq from ${log.schema}.${log.table} r
       where (r.xid, r.seq) > ($2::xid8, $3::bigint) and (r.seq <= $7::bigint or (r.xid, r.seq) <= ($4::xid8, $5::bigint))
       order by r.xid, r.seq limit $6
     )
     select count(*)::integer as looked,
            (array_agg(xid::text order by next.xid desc, next.seq desc))[1] as xid,
            (array_agg(seq::text order by next.xid desc, next.seq desc))[1] as seq,
            jsonb_agg(jsonb_build_object('id', id, 'at', created_at::text) order by next.xid, next.seq)
              filter (where not exists (
                select from (select e.log from akashi_audit.ledger_entries e where e.row_id = next.id offset 0) own where own.log = $1)) as added
     from next`,
    [log.log, from.xid, from.seq, head.lastXid, head.lastSeq, limit, head.seqFloor],
  )
  const [found] = rows
  for (const { id, at } of found?.added ?? [])
    problems.add('added', null, id, describe(log, { kind: 'added', position: null, id, at }))
  return found === undefined || found.looked < limit ? START : { xid: found.xid, seq: found.seq }
}

/** A log that was never verified has no row for the cursor: the scrub starts over. */
export async function moveCursor(session: Session, log: string, { xid, seq }: Cursor): Promise<void> {
  await session.query(
    'update akashi_audit.verified_heads set scrub_xid = $2, scrub_seq = $3 where log = $1',
    [log, xid, seq],
  )
}
