/** Compares the rows of tables with the trail, and records differences. */
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { recordDiscrepancies } from './found.ts'
import { type StateOptions, type StateReport, verifyState } from './state.ts'
import { keepTraces } from './traces.ts'

export type { StateOptions, StateReport } from './state.ts'

/**
 * Compares the rows of a table with the trail; each difference that is new is kept and raised.
 *
 * @param owner may read the table: its owner, or a superuser
 * @param worker of the role `worker`
 * @throws forbidden, not_found
 */
export async function checkTable(
  owner: Database,
  worker: Database,
  actor: Actor,
  table: { readonly schema: string; readonly table: string },
  options: Omit<StateOptions, 'keep'> = {},
): Promise<StateReport> {
  const report = await verifyState(owner, table, {
    ...options,
    keep: async (found) => {
      await recordDiscrepancies(worker, actor, found)
    },
  })
  // Differences are recorded as discrepancies now, so the suspicion raised by the catalog is cleared.
  await worker.transaction(actor, (session) => keepTraces(session, table))
  return report
}

/** A table that is protected, by its name. @throws not_found */
export async function protectedTable(
  worker: Database,
  actor: Actor,
  name: string,
): Promise<{ readonly schema: string; readonly table: string }> {
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<{ schema: string; table: string }>(
        `select p.schema_name as schema, p.table_name as "table" from akashi_audit.protected_tables p
         where parse_ident($1) in (array[p.schema_name, p.table_name], case when p.schema_name = 'public' then array[p.table_name] end)`,
        [name],
      ),
    { readOnly: true },
  )
  const [row] = rows
  if (row === undefined)
    throw new AkashiError('not_found', `${name} is not under audit`, { hint: 'see akashi protect' })
  return row
}

/** Every protected table. */
export async function protectedTableList(
  worker: Database,
  actor: Actor,
): Promise<{ readonly schema: string; readonly table: string }[]> {
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<{ schema: string; table: string }>(
        'select schema_name as schema, table_name as "table" from akashi_audit.protected_tables order by 1, 2',
      ),
    { readOnly: true },
  )
  return rows
}
