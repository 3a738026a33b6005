import { randomUUID } from 'node:crypto'
import { LOCAL_ISSUER, type NewUser, newUser } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { sealEmail, sealSubject } from './personal.ts'
import { parseUser } from './user.ts'

/**
 * Creates a user with the default role and returns the id. The person's key is created first, so a failed insert may
 * leave an unused key.
 *
 * @throws AkashiError invalid_input; forbidden unless the caller has users:write or the session is of the role worker,
 *   which signs people in; already_exists when the username, the subject or the e-mail address is taken
 */
export async function createUser(session: Session, vault: PersonVault, input: NewUser): Promise<string> {
  const user = parseUser(newUser, input)
  const id = randomUUID()
  if (user.subject === undefined && user.issuer !== LOCAL_ISSUER) {
    throw new AkashiError('invalid_input', 'a user of an identity provider needs a subject')
  }
  const subject = await sealSubject(vault, id, user.subject ?? id)
  const email = await sealEmail(vault, id, user.email)
  await session.query(
    'select akashi_auth.create_user($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)',
    [
      id,
      user.issuer,
      subject.subject_encrypted,
      subject.subject_index,
      user.username,
      user.displayName,
      email.email_encrypted,
      email.email_index,
      email.email_masked,
      user.avatarUrl,
      user.status,
      user.classification,
      user.tenantId,
      user.complianceTags,
    ],
  )
  return id
}
