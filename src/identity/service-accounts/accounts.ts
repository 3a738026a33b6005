/** Service accounts: callers that are programs, with roles and API keys but without password or sessions. */
import type { ServiceAccount, Tier } from '@akashi/contract'
import type { Actor, Database } from '../../postgres/index.ts'
import { call } from '../call.ts'

export async function listServiceAccounts(database: Database, actor: Actor): Promise<ServiceAccount[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<ServiceAccount>(
        `select a.id, a.name, a.tier, a.description, a.is_active as "isActive",
           array(select r.name::text from akashi_auth.service_account_roles sr join akashi_auth.roles r on r.id = sr.role_id
                 where sr.service_account_id = a.id and coalesce(sr.expires_at > now(), true) order by 1) as roles
         from akashi_auth.service_accounts a order by a.name`,
      ),
    { readOnly: true },
  )
  return rows
}

/**
 * Returns the account's id. Needs api_keys:write, a tier that the caller has, and for roles what `grantRole` needs;
 * without one of them there is no account.
 */
export async function createServiceAccount(
  database: Database,
  actor: Actor,
  account: {
    readonly name: string
    readonly tier?: Tier
    readonly description?: string
    readonly roles?: readonly string[]
  },
): Promise<string> {
  const { name, tier = 'service', description = null, roles = [] } = account
  return await call(database, actor, 'akashi_auth.create_service_account($1, $2, $3, $4)', [
    name,
    tier,
    description,
    roles,
  ])
}

/** Deactivating an account invalidates all its keys immediately. */
export async function setServiceAccountActive(
  database: Database,
  actor: Actor,
  name: string,
  active: boolean,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_auth.set_service_account_active($1, $2)', [name, active]),
  )
}

/** Grants a role to an account, by the rules of `grantRole`; the role's tier must not exceed the account's. */
export async function grantServiceRole(
  database: Database,
  actor: Actor,
  grant: { readonly account: string; readonly role: string; readonly expiresAt?: Date },
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_auth.grant_service_role($1, $2, $3)', [
      grant.account,
      grant.role,
      grant.expiresAt ?? null,
    ]),
  )
}

/** False when the account did not have the role. */
export async function revokeServiceRole(
  database: Database,
  actor: Actor,
  grant: { readonly account: string; readonly role: string },
): Promise<boolean> {
  return await call(database, actor, 'akashi_auth.revoke_service_role($1, $2)', [grant.account, grant.role])
}
