import type { Session } from '../postgres/index.ts'

/** Records an audit action `data_access`. @param ids of what was read; nothing is recorded without any */
export async function recordAccess(
  session: Session,
  resource: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length > 0) await session.query('select akashi_audit.record_access($1, $2)', [resource, ids])
}
