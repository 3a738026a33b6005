import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { emailIndex, openRow, subjectIndex, type UserRow, userColumns } from './personal.ts'
import { LOCAL_ISSUER, type User } from './user.ts'

/** null when there is none, or when the session may not see them. */
export function readUser(session: Session, vault: PersonVault, id: string): Promise<User | null> {
  return one(session, vault, 'id = $1', [id])
}

/** S3's query pattern “user by keycloak_sub”; of any state. */
export async function findUserByIdentity(
  session: Session,
  vault: PersonVault,
  issuer: string,
  subject: string,
): Promise<User | null> {
  return await one(session, vault, 'issuer = $1 and subject_index = $2', [
    issuer,
    await subjectIndex(vault, subject),
  ])
}

/** A local account by what its owner types; of any state. An address wins over a username that looks like one. */
export async function findUserByLogin(
  session: Session,
  vault: PersonVault,
  usernameOrEmail: string,
): Promise<User | null> {
  return await one(
    session,
    vault,
    'issuer = $1 and (username = $2 or email_index = $3) order by email_index = $3 desc limit 1',
    [LOCAL_ISSUER, usernameOrEmail, await emailIndex(vault, usernameOrEmail)],
  )
}

async function one(
  session: Session,
  vault: PersonVault,
  condition: string,
  values: readonly unknown[],
): Promise<User | null> {
  const { rows } = await session.query<UserRow>(
    `select ${userColumns} from auth.users where ${condition}`,
    values,
  )
  return rows[0] === undefined ? null : await openRow(vault, rows[0])
}
