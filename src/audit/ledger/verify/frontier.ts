/** The stored frontier of a head. It is not signed, and decides which rows the sealer takes next. */
import { OPTIMIZER_FENCE, postgresEntrySql } from '../encoding.ts'
import type { LogVerification } from './log-verification.ts'

interface Frontier {
  /** The transaction has begun in this cluster. */
  readonly past: boolean
  readonly cluster: string
  /** Of the row of the last entry; null when the row is not in the database, or was changed. */
  readonly xid: string | null
  readonly seq: string | null
}

/**
 * The frontier must be the (xid, seq) of the last sealed row or, before the first row of an epoch, the transaction that
 * opened the epoch. When the row of the last entry is archived, only bounds can be checked. A wrong frontier within
 * them hides nothing: rows below it without an entry are reported.
 *
 * @param epochStartSize size of the tree when the present epoch began
 */
export async function verifyFrontier(
  { session, log, head, problems }: LogVerification,
  epochStartSize: bigint,
): Promise<void> {
  const entry = postgresEntrySql(log)
  const { rows } = await session.query<Frontier>(
    `select $3::xid8 < pg_snapshot_xmax(pg_current_snapshot()) as past, own.system_identifier::text as cluster,
            last.xid::text as xid, last.seq::text as seq
     from akashi_audit.system_identity() own left join (
       select t.xid, t.seq, t.sealed, ${entry.hash} as now
       from (select r.xid, r.seq, e.entry_hash as sealed, ${entry.texts}
             from akashi_audit.ledger_entries e join ${log.schema}.${log.table} r on r.id = e.row_id and r.created_at = e.created_at
             where e.log = $1 and e.position = $2::bigint - 1 ${OPTIMIZER_FENCE}) t
     ) last on last.now = last.sealed`,
    [log.log, head.size.toString(), head.lastXid],
  )
  const [found] = rows
  if (found === undefined) return
  const wrong = (detail: string) =>
    problems.add('checkpoint', head.size, head.origin, `the frontier of the head is ${detail}`)
  const claimed = `(${head.lastXid}, ${head.lastSeq})`
  const here = head.systemIdentifier === null || head.systemIdentifier === found.cluster
  if (here && !found.past) wrong(`${claimed}: no such transaction exists yet`)
  else if (head.size === epochStartSize) {
    if (head.lastSeq !== '0' || (epochStartSize === 0n && head.lastXid !== '0'))
      wrong(`${claimed}: nothing was sealed there`)
  } else if (found.xid !== null && (found.xid !== head.lastXid || found.seq !== head.lastSeq))
    wrong(`${claimed}, but the last sealed row has (${found.xid}, ${found.seq})`)
}
