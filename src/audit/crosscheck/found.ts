import type { Actor, Database } from '../../postgres/index.ts'
import type { Found } from './discrepancy.ts'

/** Keeps what was found, with a critical event for each finding that is new. @returns how many were */
export async function recordDiscrepancies(
  worker: Database,
  actor: Actor,
  found: readonly Found[],
): Promise<number> {
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<{ recorded: number }>('select akashi_audit.record_discrepancies($1) as recorded', [
      JSON.stringify(found),
    ]),
  )
  return rows[0]?.recorded ?? 0
}
