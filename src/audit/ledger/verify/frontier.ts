/** The frontier that a head claims: it is stored beside the signed checkpoint, and decides what the sealer takes next. */
import type { Session } from '../../../postgres/index.ts'
import { FENCE, postgresEntrySql } from '../encoding.ts'
import type { LogDefinition } from '../logs.ts'
import type { Head } from '../store.ts'
import type { ProblemList } from './problems.ts'

interface Frontier {
  /** The transaction number is one that was given out here. */
  readonly past: boolean
  readonly cluster: string
  /** Of the row of the last entry; null when it is not here, or not as it was sealed. */
  readonly xid: string | null
  readonly seq: string | null
}

/**
 * The frontier must be the (xid, seq) of the last row that was sealed, or, as long as nothing was sealed in a new
 * epoch, the transaction with which it opened. Where the row of the last entry is archived only the bounds remain:
 * a frontier beyond them hides no row, since rows behind it without an entry are named.
 *
 * @param begun size with which the present epoch began
 */
export async function verifyFrontier(
  session: Session,
  log: LogDefinition,
  head: Head,
  begun: bigint,
  problems: ProblemList,
): Promise<void> {
  const entry = postgresEntrySql(log)
  const { rows } = await session.query<Frontier>(
    `select $3::xid8 < pg_snapshot_xmax(pg_current_snapshot()) as past, own.system_identifier::text as cluster,
            last.xid::text as xid, last.seq::text as seq
     from akashi_audit.system_identity() own left join (
       select t.xid, t.seq, t.sealed, ${entry.hash} as now
       from (select r.xid, r.seq, e.entry_hash as sealed, ${entry.texts}
             from akashi_audit.ledger_entries e join ${log.schema}.${log.table} r on r.id = e.row_id and r.created_at = e.created_at
             where e.log = $1 and e.position = $2::bigint - 1 ${FENCE}) t
     ) last on last.now = last.sealed`,
    [log.log, head.size.toString(), head.lastXid],
  )
  const [found] = rows
  if (found === undefined) return
  const wrong = (detail: string) =>
    problems.add('checkpoint', head.size, head.origin, `the frontier of the head is ${detail}`)
  const claimed = `(${head.lastXid}, ${head.lastSeq})`
  const here = head.systemIdentifier === null || head.systemIdentifier === found.cluster
  if (here && !found.past) wrong(`${claimed}: no such transaction has begun`)
  else if (head.size === begun) {
    if (head.lastSeq !== '0' || (begun === 0n && head.lastXid !== '0'))
      wrong(`${claimed}: nothing was sealed there`)
  } else if (found.xid !== null && (found.xid !== head.lastXid || found.seq !== head.lastSeq))
    wrong(`${claimed}, the last row that was sealed has (${found.xid}, ${found.seq})`)
}
