import { type AccountStatus, type Classification, type UserChange, userChange } from '@akashi/contract'
import { given } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { sealEmail } from './personal.ts'
import { parseUser } from './user.ts'

/**
 * Names are changed by the user themselves or with users:write; an e-mail address only by somebody else with
 * users:write, or by the server itself.
 *
 * @throws AkashiError invalid_input, forbidden, already_exists; not_found also when the person was erased
 */
export async function updateUser(
  session: Session,
  vault: PersonVault,
  id: string,
  change: UserChange,
): Promise<void> {
  const { username, displayName, email, avatarUrl } = parseUser(userChange, change)
  const names = {
    ...given({ username, display_name: displayName, avatar_url: avatarUrl }),
  }
  const sealed = email === undefined ? undefined : await sealEmail(vault, id, email)
  await session.query('select akashi_auth.change_user($1, $2, $3, $4, $5)', [
    id,
    names,
    sealed?.email_encrypted ?? null,
    sealed?.email_index ?? null,
    sealed?.email_masked ?? null,
  ])
}

/** Requires users:write, and a user of no higher tier. To erase a person, use `eraseUser`. */
export async function setAccountStatus(
  session: Session,
  id: string,
  status: Exclude<AccountStatus, 'deleted'>,
): Promise<void> {
  await session.query('select akashi_auth.set_account_status($1, $2)', [id, status])
}

/** Requires users:admin, and a user of no higher tier; not for oneself. */
export async function setClassification(
  session: Session,
  id: string,
  classification: Classification,
): Promise<void> {
  await session.query('select akashi_auth.set_classification($1, $2)', [id, classification])
}
