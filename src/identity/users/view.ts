/** Reads personal columns of users with an audit record, because users are confidential. */
import type { User } from '@akashi/contract'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { recordAccess } from '../record-access.ts'
import { readUser } from './find.ts'
import { listUsers, type UserFilter, type UserPage } from './list.ts'

/** Like {@link readUser}, with an audit action `data_access`. */
export async function viewUser(session: Session, vault: PersonVault, id: string): Promise<User | null> {
  const user = await readUser(session, vault, id)
  if (user !== null) await recordAccess(session, 'user', [user.id])
  return user
}

/** Like {@link listUsers}, with an audit action `data_access` that lists every user on the page. */
export async function viewUsers(session: Session, vault: PersonVault, filter: UserFilter): Promise<UserPage> {
  const page = await listUsers(session, vault, filter)
  await recordAccess(
    session,
    'user',
    page.users.map(({ id }) => id),
  )
  return page
}
