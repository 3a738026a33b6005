/** Reading people's personal columns, as an act that leaves a trace: users are confidential (S2, data access log). */
import type { User } from '@akashi/contract'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { readUser } from './find.ts'
import { listUsers, type UserFilter, type UserPage } from './list.ts'

/** As {@link readUser}, with an action `data_access` of the trail. */
export async function viewUser(session: Session, vault: PersonVault, id: string): Promise<User | null> {
  const user = await readUser(session, vault, id)
  if (user !== null) await recordAccess(session, [user])
  return user
}

/** As {@link listUsers}, with an action `data_access` that names everybody on the page. */
export async function viewUsers(session: Session, vault: PersonVault, filter: UserFilter): Promise<UserPage> {
  const page = await listUsers(session, vault, filter)
  if (page.users.length > 0) await recordAccess(session, page.users)
  return page
}

async function recordAccess(session: Session, users: readonly User[]): Promise<void> {
  await session.query('select akashi_audit.record_access($1, $2)', ['user', users.map(({ id }) => id)])
}
