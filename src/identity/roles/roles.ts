/** Lists roles, permissions and grants. Row-level security restricts the rows. */
import type { Grant, Permission, Role } from '@akashi/contract'
import type { Actor, Database } from '../../postgres/index.ts'
import { recordAccess } from '../record-access.ts'

const tierOrder = 'akashi_auth.tier_rank(r.tier) desc, r.name'

/** Every role with its permissions, highest tier first. */
export async function listRoles(database: Database, actor: Actor): Promise<Role[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Role>(
        `select r.id, r.name, r.tier, r.description,
           array(select p.resource || ':' || p.action
                 from akashi_auth.role_permissions rp join akashi_auth.permissions p on p.id = rp.permission_id
                 where rp.role_id = r.id order by 1) as permissions
         from akashi_auth.roles r order by ${tierOrder}`,
      ),
    { readOnly: true },
  )
  return rows
}

export async function listPermissions(database: Database, actor: Actor): Promise<Permission[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Permission>(
        `select id, resource, action, tier, description from akashi_auth.permissions
         order by resource, array_position(array['read', 'write', 'delete', 'admin'], action::text)`,
      ),
    { readOnly: true },
  )
  return rows
}

/** The roles of a user, including expired ones. Reading those of somebody else is recorded. */
export async function rolesOfUser(database: Database, actor: Actor, userId: string): Promise<Grant[]> {
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<Grant>(
      `select r.name as role, r.tier, ur.assigned_by as "assignedBy", ur.assigned_at as "assignedAt",
         ur.expires_at as "expiresAt", coalesce(ur.expires_at > now(), true) as "inForce"
       from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id
       where ur.user_id = $1 order by ${tierOrder}`,
      [userId],
    )
    if (userId !== actor.userId) await recordAccess(session, 'user_role', [userId])
    return rows
  })
}
