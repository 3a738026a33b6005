import { LOCAL_ISSUER } from '@akashi/contract'
import { AkashiError, given } from '../../foundation/index.ts'
import type { PersonInSession, Session } from '../../postgres/index.ts'
import { generatePassword, type PasswordFault, passwordFaults } from '../passwords/index.ts'
import { renewSession, revokeSessions } from '../sessions/index.ts'
import { readUser } from '../users/index.ts'
import { type Account, beginAttempt, settleAttempt } from './attempt.ts'
import type { LoginParts } from './parts.ts'
import { readLoginRules } from './rules.ts'
import { checkPassword } from './sign-in.ts'

/** Words about this product that attackers would try. */
const PRODUCT_WORDS = ['akashi']

const faultTexts: Readonly<Record<PasswordFault, string>> = {
  too_short: 'it is too short',
  too_long: 'it is too long',
  needs_letters_digits_and_signs: 'it needs uppercase and lowercase letters, digits and symbols',
  contains_name: 'it contains your name',
  breached: 'it is a common or leaked password',
  used_before: 'it was used before',
}

/**
 * Changes the password of the actor's own account, ends all other sessions and gives this one a new token,
 * which it returns. It does not count as a recent sign-in; that takes the second factor.
 *
 * @returns the new token of the session
 * @throws AkashiError unauthenticated when the current password is wrong; invalid_input with every fault of the new one
 */
export async function changePassword(
  login: LoginParts,
  actor: PersonInSession,
  given: { readonly current: string; readonly next: string; readonly revokeApiKeys?: boolean },
  signal?: AbortSignal,
): Promise<string> {
  const account: Account = { userId: actor.userId, identifierHash: null, issuer: LOCAL_ISSUER }
  // Sign-ins have priority over people who are already signed in.
  const parts = { ...login, passwords: login.passwords.yielding }
  const attempt = await beginAttempt(parts, actor, 'password', async () => account, signal)
  await checkPassword(parts, actor, attempt, given.current, signal)
  await settleAttempt(parts, actor, attempt, 'partial', { sessionId: actor.sessionId })
  await refuseFaults(parts, actor, given.next, signal)
  const hash = await parts.passwords.hash(given.next, signal)
  await parts.worker.transaction(actor, async (session) => {
    await setPassword(session, actor.userId, hash, false)
    await revokeSessions(session, actor.userId, actor.sessionId)
    if (given.revokeApiKeys === true) await revokeApiKeysOf(session, actor.userId, 'password changed')
  })
  return parts.app.transaction(actor, (session) =>
    renewSession(session, { methods: ['pwd'], secondFactor: false, confirmed: false }),
  )
}

/** A new one-time password and its hash. */
export async function oneTimePassword(
  parts: Pick<LoginParts, 'passwords'>,
): Promise<{ readonly password: string; readonly hash: string }> {
  const password = generatePassword()
  return { password, hash: await parts.passwords.hash(password) }
}

export async function revokeApiKeysOf(session: Session, userId: string, reason: string): Promise<void> {
  await session.query('select akashi_auth.revoke_api_keys_of($1, $2)', [userId, reason])
}

export async function setPassword(
  session: Session,
  userId: string,
  hash: string,
  oneTime: boolean,
): Promise<void> {
  await session.query('select akashi_auth.set_password($1, $2, $3)', [userId, hash, oneTime])
}

async function refuseFaults(
  parts: LoginParts,
  actor: PersonInSession,
  password: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { rules, names, history } = await parts.worker.transaction(actor, async (session) => {
    const user = await readUser(session, parts.vault, actor.userId)
    const hashes = await session.query<{ password_hash: string }>(
      'select * from akashi_auth.password_hashes($1)',
      [actor.userId],
    )
    return {
      rules: await readLoginRules(session),
      names: [user?.username, user?.email?.split('@')[0], user?.displayName].filter(
        (name) => typeof name === 'string',
      ),
      history: hashes.rows.map((row) => row.password_hash),
    }
  })
  const faults = await passwordFaults(
    { password, names: [...names, ...PRODUCT_WORDS], history },
    rules.password,
    { breached: parts.breached, passwords: parts.passwords, ...given({ signal }) },
  )
  if (faults.length === 0) return
  throw new AkashiError(
    'invalid_input',
    `this password is not acceptable: ${faults.map((f) => faultTexts[f]).join(', ')}`,
    {
      hint: `use ${rules.password.minLength} characters or more, such as four unrelated words`,
      detail: {
        errors: faults.map((fault) => ({ in: 'body', pointer: '/next', detail: faultTexts[fault], fault })),
      },
    },
  )
}
