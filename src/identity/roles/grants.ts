/**
 * Granting and revoking roles and permissions. The database decides (000009_access_rules): nobody can grant
 * what is above their tier, what they do not have, or anything to themselves. On a database of the role
 * `owner`, an operator is a database administrator and may do everything.
 */
import type { PermissionName, Tier } from '@akashi/contract'
import type { Actor, Database } from '../../postgres/index.ts'
import { call } from '../call.ts'

export interface RoleGrant {
  readonly userId: string
  /** Name of the role. */
  readonly role: string
  readonly expiresAt?: Date
}

/**
 * Grants a role to a user, or changes when the grant expires. Returns the grant's id.
 *
 * @throws AkashiError forbidden, not_found
 */
export function grantRole(database: Database, actor: Actor, grant: RoleGrant): Promise<string> {
  return call(database, actor, 'akashi_auth.grant_role($1, $2, $3)', [
    grant.userId,
    grant.role,
    grant.expiresAt ?? null,
  ])
}

/**
 * False when the user did not have the role.
 *
 * @throws AkashiError forbidden, not_found, conflict for the last administrator
 */
export function revokeRole(
  database: Database,
  actor: Actor,
  grant: { readonly userId: string; readonly role: string },
): Promise<boolean> {
  return call(database, actor, 'akashi_auth.revoke_role($1, $2)', [grant.userId, grant.role])
}

/** Returns the new role's id. */
export function createRole(
  database: Database,
  actor: Actor,
  role: { readonly name: string; readonly tier: Tier; readonly description?: string },
): Promise<string> {
  return call(database, actor, 'akashi_auth.create_role($1, $2, $3)', [
    role.name,
    role.tier,
    role.description ?? null,
  ])
}

/** Deletes a role and every grant of it; false when there was none. */
export function deleteRole(database: Database, actor: Actor, name: string): Promise<boolean> {
  return call(database, actor, 'akashi_auth.delete_role($1)', [name])
}

/** Adds a permission to a role. */
export async function grantPermission(
  database: Database,
  actor: Actor,
  grant: { readonly role: string; readonly permission: PermissionName },
): Promise<void> {
  await call(database, actor, 'akashi_auth.grant_permission($1, $2)', [grant.role, grant.permission])
}

/** False when the role did not have it. */
export function revokePermission(
  database: Database,
  actor: Actor,
  grant: { readonly role: string; readonly permission: PermissionName },
): Promise<boolean> {
  return call(database, actor, 'akashi_auth.revoke_permission($1, $2)', [grant.role, grant.permission])
}
