import { given } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

/** One index over a month of the trail may take this long, in milliseconds. */
const INDEX_TIMEOUT_MS = 3_600_000

/**
 * Makes one index that a closed partition of the trail lacks (by user, trace, request or table). Writers do not
 * wait for it; it waits at most 100 ms for its own lock.
 *
 * @returns the name of the index, null when none is lacking
 */
export async function indexClosedPartition(
  database: Database,
  actor: Actor,
  signal?: AbortSignal,
  asOf?: Date,
): Promise<string | null> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ index: string | null }>(
        'select akashi_audit.index_closed_partition(coalesce($1::timestamptz, now())) as index',
        [asOf?.toISOString() ?? null],
      ),
    { timeoutMs: INDEX_TIMEOUT_MS, ...given({ signal }) },
  )
  return rows[0]?.index ?? null
}
