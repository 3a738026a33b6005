/**
 * Permission checks. The database decides (`akashi_auth.has_permission`), by the active roles of the user in the signed
 * request context, limited to the scopes of an API key. Nothing is decided or cached here.
 */
import type { PermissionName } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { recordEvent } from '../../security/index.ts'

/** Whether the caller of this transaction has a permission. */
export async function hasPermission(session: Session, permission: PermissionName): Promise<boolean> {
  const { rows } = await session.query<{ allowed: boolean }>(
    'select akashi_auth.has_permission($1) as allowed',
    [permission],
  )
  return rows[0]?.allowed === true
}

/** The permissions of the caller of this transaction, as `resource:action`. */
export async function currentPermissions(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>('select akashi_auth.current_permissions() as name')
  return rows.map(({ name }) => name)
}

/**
 * Checks that `actor` has the permission. A denial is recorded as an audit action and as a security event.
 *
 * @throws AkashiError forbidden; unauthenticated when the actor is anonymous
 */
export async function requirePermission(
  database: Database,
  actor: Actor,
  permission: PermissionName,
): Promise<void> {
  const allowed = await database.transaction(actor, async (session) => {
    if (await hasPermission(session, permission)) return true
    await writeDenial(session, actor, permission)
    return false
  })
  if (allowed) return
  if (actor.userId === undefined && actor.sessionId === undefined) {
    throw new AkashiError('unauthenticated', 'authentication required', {
      hint: 'sign in, or send an API key',
    })
  }
  throw new AkashiError('forbidden', `the permission ${permission} is required`, {
    hint: 'ask an administrator for a role with this permission',
    detail: { permission },
  })
}

/** Records a denial that was decided elsewhere, such as by a database function. */
export async function recordDenial(
  database: Database,
  actor: Actor,
  permission: PermissionName,
): Promise<void> {
  await database.transaction(actor, (session) => writeDenial(session, actor, permission))
}

async function writeDenial(session: Session, actor: Actor, permission: PermissionName): Promise<void> {
  await session.query(
    `select akashi_audit.record_action('permission_denied', 'deny', 'permission', $1, 'FAILURE', $2, error_code => 'forbidden')`,
    [permission, JSON.stringify({ endpoint: actor.origin.apiEndpoint ?? null })],
  )
  await recordEvent(session, {
    event_type: 'permission_denied',
    resource_type: 'permission',
    resource_id: permission,
    action_performed: actor.origin.apiEndpoint ?? null,
  })
}
