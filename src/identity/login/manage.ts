/** Administration of accounts. */
import type { NewUser, User } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Session } from '../../postgres/index.ts'
import { recordEvent } from '../../security/index.ts'
import { revokeSessions } from '../sessions/index.ts'
import { createUser, readUser, setAccountStatus } from '../users/index.ts'
import type { LoginParts } from './parts.ts'
import { oneTimePassword, revokeApiKeysOf, setPassword } from './password-change.ts'

/** `worker` creates and changes accounts for an authorized person, or for the server's administrator. */
type Parts = Pick<LoginParts, 'worker' | 'vault' | 'passwords'>

/** Creates a local user with a one-time password, which must be changed at the first sign-in. */
export async function createLocalUser(
  parts: Parts,
  actor: Actor,
  user: NewUser,
): Promise<{ readonly id: string; readonly password: string }> {
  const { password, hash } = await oneTimePassword(parts)
  const id = await parts.worker.transaction(actor, async (session) => {
    const made = await createUser(session, parts.vault, user)
    await setPassword(session, made, hash, true)
    return made
  })
  return { id, password }
}

/**
 * Replaces a user's password by a one-time one, which must be changed at the next sign-in, and ends their sessions.
 *
 * @throws AkashiError forbidden without users:admin, and for a user who has a permission that the actor lacks;
 *   invalid_input for a user of an identity provider
 */
export async function resetPassword(
  parts: Parts,
  actor: Actor,
  userId: string,
  options: { readonly revokeApiKeys?: boolean | undefined } = {},
): Promise<string> {
  const { password, hash } = await oneTimePassword(parts)
  await parts.worker.transaction(actor, async (session) => {
    const { rows } = await session.query<{ replaced: boolean }>(
      'select akashi_auth.replace_password($1, $2) as replaced',
      [userId, hash],
    )
    if (rows[0]?.replaced !== true) {
      throw new AkashiError(
        'invalid_input',
        'the user signs in at an identity provider and has no password in Akashi',
      )
    }
    if (options.revokeApiKeys === true) await revokeApiKeysOf(session, userId, 'password reset')
  })
  return password
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

/** Ends a session of a user, or all, and returns their number. @throws AkashiError forbidden without sessions:delete */
export async function endSessions(
  parts: Pick<Parts, 'worker'>,
  actor: Actor,
  userId: string,
  sessionId?: string,
): Promise<number> {
  return parts.worker.transaction(actor, async (session) => {
    const { rows } = await session.query<{ ended: number }>(
      'select akashi_auth.end_sessions_of($1, $2) as ended',
      [userId, sessionId ?? null],
    )
    return rows[0]?.ended ?? 0
  })
}

/**
 * Removes second factors, for a user who lost authenticator and recovery codes.
 * @throws AkashiError forbidden as for {@link resetPassword}
 */
export async function resetFactors(
  parts: Pick<Parts, 'worker'>,
  actor: Actor,
  userId: string,
): Promise<void> {
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
