import type { Session } from '../../postgres/index.ts'

/**
 * The trail is confidential, and so are the rows that its ledgers prove: reading them is recorded as `data_access`, in
 * the reader's transaction, so that nothing is read without being recorded.
 *
 * @param table `schema.table` of the rows
 */
export async function recordAccess(
  session: Session,
  table: string,
  filter: Readonly<Record<string, unknown>>,
  rows: readonly { readonly id: string }[],
): Promise<void> {
  await session.query('select akashi_audit.record_access($1, $2, asked => $3)', [
    table,
    rows.map(({ id }) => id),
    JSON.stringify(filter),
  ])
}
