import { AkashiError } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { sealEmail } from './personal.ts'
import {
  type AccountStatus,
  type Classification,
  parseUser,
  type UserChange,
  userChangeSchema,
} from './user.ts'

/** `not_found` when there is none, when the session may not change it, or when the person was erased. */
export async function updateUser(
  session: Session,
  vault: PersonVault,
  id: string,
  change: UserChange,
): Promise<void> {
  const { username, displayName, email, avatarUrl } = parseUser(userChangeSchema, change)
  const columns: Record<string, unknown> = {
    ...(username === undefined ? {} : { username }),
    ...(displayName === undefined ? {} : { display_name: displayName }),
    ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
    ...(email === undefined ? {} : { ...(await sealEmail(vault, id, email)), email: null }),
  }
  const names = Object.keys(columns)
  if (names.length === 0) return
  await changeOne(session, id, names.map((name, at) => `${name} = $${at + 2}`).join(', '), [
    ...Object.values(columns),
  ])
}

/** Erasing a person is `eraseUser`, not a state that is set: it cannot be taken back. */
export async function setAccountStatus(
  session: Session,
  id: string,
  status: Exclude<AccountStatus, 'deleted'>,
): Promise<void> {
  await changeOne(session, id, 'account_status = $2', [status])
}

export async function setClassification(
  session: Session,
  id: string,
  classification: Classification,
): Promise<void> {
  await changeOne(session, id, 'security_classification = $2', [classification])
}

async function changeOne(
  session: Session,
  id: string,
  assignments: string,
  values: readonly unknown[],
): Promise<void> {
  const { rowCount } = await session.query(
    `update auth.users set ${assignments} where id = $1 and account_status <> 'deleted'`,
    [id, ...values],
  )
  if (rowCount === 0) throw new AkashiError('not_found', 'there is no such user, or they were erased')
}
