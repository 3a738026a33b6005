import type { Actor, Database } from '../../postgres/index.ts'
import type { Found } from './discrepancy.ts'

/** Stores findings, with a critical event for each new one. @returns how many were new */
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
