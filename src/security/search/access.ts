import type { Session } from '../../postgres/index.ts'

/**
 * Events are confidential, so reading them is recorded in the audit trail as `data_access`, with the query and the
 * events returned. It is written in the reader's transaction, so that nothing is read without being recorded.
 */
export async function recordAccess(
  session: Session,
  filter: Readonly<Record<string, unknown>>,
  shown: { readonly events: readonly string[] } | { readonly counted: number },
): Promise<void> {
  await session.query(
    `select akashi_audit.record_action('data_access', 'read', 'akashi_security.security_events', null, 'SUCCESS', $1::jsonb, 'confidential')`,
    [JSON.stringify({ asked: filter, ...shown })],
  )
}
