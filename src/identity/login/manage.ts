/** Administration of accounts. */
import type { NewUser, User } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Session } from '../../postgres/index.ts'
import { recordEvent } from '../../security/index.ts'
import { revokeSessions } from '../sessions/index.ts'
import { createUser, readUser, setAccountStatus } from '../users/index.ts'
import type { LoginParts } from './parts.ts'
import { resetPassword } from './password-change.ts'

/** `worker` creates and changes accounts for an authorized person, or for the server's administrator. */
type Parts = Pick<LoginParts, 'worker' | 'vault' | 'passwords'>

/** Creates a local user with a one-time password, which must be changed at the first sign-in. */
export async function createLocalUser(
  parts: Parts,
  actor: Actor,
  user: Pick<NewUser, 'username' | 'email' | 'displayName' | 'tenantId'>,
): Promise<{ readonly id: string; readonly password: string }> {
  const id = await parts.worker.transaction(actor, (session) => createUser(session, parts.vault, user))
  return { id, password: await resetPassword(parts, actor, id) }
}

/** Usernames are unique across providers. @throws not_found */
export async function findUserByName(parts: Parts, actor: Actor, username: string): Promise<User> {
  const user = await parts.worker.transaction(actor, async (session) => {
    const { rows } = await session.query<{ id: string }>(
      'select id from akashi_auth.users where akashi_auth.username_key(username) = akashi_auth.username_key($1)',
      [username],
    )
    return rows[0] === undefined ? null : readUser(session, parts.vault, rows[0].id)
  })
  if (user === null) {
    throw new AkashiError('not_found', `user not found: ${username}`, {
      hint: 'list them with akashi users list',
    })
  }
  return user
}

/** Suspends a user and ends their sessions. Returns the number of ended sessions. */
export async function suspendUser(parts: Parts, actor: Actor, userId: string): Promise<number> {
  return parts.worker.transaction(actor, async (session) => {
    await setAccountStatus(session, userId, 'suspended')
    return revokeAll(session, userId, 'suspended')
  })
}

export async function reactivateUser(parts: Parts, actor: Actor, userId: string): Promise<void> {
  await parts.worker.transaction(actor, (session) => setAccountStatus(session, userId, 'active'))
}

/** Ends all sessions of a user and returns their number. */
export async function endSessions(parts: Parts, actor: Actor, userId: string): Promise<number> {
  return parts.worker.transaction(actor, (session) => revokeAll(session, userId, 'administrator'))
}

/** Removes second factors, for a user who lost authenticator and recovery codes. */
export async function resetFactors(parts: Parts, actor: Actor, userId: string): Promise<void> {
  await parts.worker.transaction(actor, (session) =>
    session.query('select akashi_auth.remove_factors($1)', [userId]),
  )
}

async function revokeAll(session: Session, userId: string, reason: string): Promise<number> {
  const ended = await revokeSessions(session, userId)
  if (ended > 0) {
    await recordEvent(session, {
      event_type: 'session_revoked',
      resource_type: 'user',
      resource_id: userId,
      event_details: { sessions: ended, reason },
    })
  }
  return ended
}
