/** Reads personal columns of users with an audit record, because users are confidential. */
import type { User } from '@akashi/contract'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { readUser } from './find.ts'
import { listUsers, type UserFilter, type UserPage } from './list.ts'

/** Like {@link readUser}, with an audit action `data_access`. */
export async function viewUser(session: Session, vault: PersonVault, id: string): Promise<User | null> {
  const user = await readUser(session, vault, id)
  if (user !== null) await recordAccess(session, [user])
  return user
}

/** Like {@link listUsers}, with an audit action `data_access` that lists every user on the page. */
export async function viewUsers(session: Session, vault: PersonVault, filter: UserFilter): Promise<UserPage> {
  const page = await listUsers(session, vault, filter)
  if (page.users.length > 0) await recordAccess(session, page.users)
  return page
}

async function recordAccess(session: Session, users: readonly User[]): Promise<void> {
  await session.query('select akashi_audit.record_access($1, $2)', ['user', users.map(({ id }) => id)])
}
