import type { Session } from '../../postgres/index.ts'

/**
 * The trail is confidential, and so are the rows that its ledgers prove: reading them is recorded as `data_access`, in
 * the reader's transaction, so that nothing is read without being recorded.
 *
 * @param table `schema.table` of the rows
 * @param reason why they were read, where the reader has to say
 */
export async function recordAccess(
  session: Session,
  table: string,
  filter: Readonly<Record<string, unknown>>,
  rows: readonly { readonly id: string }[],
  reason?: string,
): Promise<void> {
  await session.query('select akashi_audit.record_access($1, $2, $4, asked => $3)', [
    table,
    rows.map(({ id }) => id),
    JSON.stringify(filter),
    reason ?? null,
  ])
}
