import { LOCAL_ISSUER, type User } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { emailIndexes, openRow, subjectIndexes, type UserRow, userColumns } from './personal.ts'

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** null when there is no such user, or when the session may not see the user. */
export function readUser(session: Session, vault: PersonVault, id: string): Promise<User | null> {
  return one(session, vault, 'id = $1', [id])
}

export interface AccountName {
  readonly id: string
  readonly username: string
}

/** Accounts of a tenant, except erased ones. */
export async function accountsOfTenant(session: Session, tenantId: string): Promise<AccountName[]> {
  const { rows } = await session.query<AccountName>(
    'select id, username from akashi_auth.users where tenant_id = $1 and not is_deleted',
    [tenantId],
  )
  return rows
}

/** The user of an issuer by subject, in any state. */
export async function findUserByIdentity(
  session: Session,
  vault: PersonVault,
  issuer: string,
  subject: string,
): Promise<User | null> {
  return await one(session, vault, 'issuer = $1 and subject_index = any ($2::bytea[])', [
    issuer,
    await subjectIndexes(vault, subject),
  ])
}

/** A local user by username or e-mail address, in any state. An address takes precedence over an equal username. */
export async function findUserByLogin(
  session: Session,
  vault: PersonVault,
  usernameOrEmail: string,
): Promise<User | null> {
  return await one(
    session,
    vault,
    'issuer = $1 and (akashi_auth.username_key(username) = akashi_auth.username_key($2) or email_index = any ($3::bytea[])) order by email_index = any ($3::bytea[]) desc limit 1',
    [LOCAL_ISSUER, usernameOrEmail, await emailIndexes(vault, usernameOrEmail)],
  )
}

async function one(
  session: Session,
  vault: PersonVault,
  condition: string,
  values: readonly unknown[],
): Promise<User | null> {
  const { rows } = await session.query<UserRow>(
    `select ${userColumns} from akashi_auth.users where ${condition}`,
    values,
  )
  return rows[0] === undefined ? null : await openRow(vault, rows[0])
}

/**
 * The id of a user given by id, username or e-mail address, of any state and issuer. An erased person is found only by
 * id, even without an account.
 *
 * @throws AkashiError not_found; conflict when several users have the e-mail address
 */
export async function resolveUserId(session: Session, vault: PersonVault, named: string): Promise<string> {
  if (uuidPattern.test(named)) return named.toLowerCase()
  const { rows } = await session.query<{ id: string }>(
    `with named as (
       select id from akashi_auth.users where akashi_auth.username_key(username) = akashi_auth.username_key($1))
     select id from named
     union all
     select id from akashi_auth.users where email_index = any ($2::bytea[]) and not exists (select from named)`,
    [named, await emailIndexes(vault, named)],
  )
  const [found, another] = rows
  if (found === undefined) throw new AkashiError('not_found', 'user not found')
  if (another === undefined) return found.id
  throw new AkashiError('conflict', 'users of several issuers have this e-mail address', {
    hint: 'give the username or the id instead',
  })
}
