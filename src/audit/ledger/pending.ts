import type { Session } from '../../postgres/index.ts'
import type { LogDefinition } from './logs.ts'
import type { Head } from './store.ts'

/** Waiting rows are counted up to this many; more shows as this. */
export const MAX_PENDING_COUNTED = 100_000

/** Rows of a log's table that wait to be sealed, at most {@link MAX_PENDING_COUNTED}. */
export async function countPending(
  session: Session,
  log: LogDefinition,
  head: Head | undefined,
): Promise<number> {
  const { rows } = await session.query<{ pending: number }>(
    `select count(*)::integer as pending from (
       select from ${log.schema}.${log.table} r where (r.xid, r.seq) > ($1::xid8, $2::bigint) and r.seq > $4::bigint limit $3) waiting`,
    [head?.lastXid ?? '0', head?.lastSeq ?? '0', MAX_PENDING_COUNTED, head?.seqFloor ?? '0'],
  )
  return rows[0]?.pending ?? 0
}
