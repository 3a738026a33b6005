import type { Session } from '../../postgres/index.ts'

/**
 * Reading events leaves an action `data_access` in the trail: they are confidential (S2, data access log). It says
 * what was asked for and which events were shown, and it is written in the reader's transaction, so that what
 * cannot be recorded is not read.
 */
export async function recordAccess(
  session: Session,
  asked: Readonly<Record<string, unknown>>,
  shown: { readonly events: readonly string[] } | { readonly counted: number },
): Promise<void> {
  await session.query(
    `select akashi_audit.record_action('data_access', 'read', 'akashi_security.security_events', null, 'SUCCESS', $1::jsonb, 'confidential')`,
    [JSON.stringify({ asked, ...shown })],
  )
}
