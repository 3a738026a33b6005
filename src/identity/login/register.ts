import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { createUser, type NewUser } from '../users/index.ts'

/** Makes a user with the role that policy gives everybody (S5); answers the id. Needs the accounts' role. */
export async function registerUser(session: Session, vault: PersonVault, user: NewUser): Promise<string> {
  const id = await createUser(session, vault, user)
  await session.query('select auth.assign_default_role($1)', [id])
  return id
}
