/**
 * Signing in, step by step: a password or a provider's word, then a second factor where there is one. Every
 * refusal of a name or password reads the same and takes the same work (ASVS 5.0 6.3.8).
 */
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { type Actor, type Person, person } from '../../postgres/index.ts'
import { useFactor } from '../mfa/index.ts'
import { beginSession, type NewSession } from '../sessions/index.ts'
import { type Account, type Attempt, accountOf, beginAttempt, settleAttempt } from './attempt.ts'
import type { LoginParts } from './parts.ts'
import { type LoginRules, readLoginRules } from './rules.ts'

/** Seconds between the first step and the second. */
const CHALLENGE_LIFETIME_S = 5 * 60
const CHALLENGE = 'second factor'

const challengeSchema = z.strictObject({
  userId: z.guid(),
  issuer: z.string(),
  methods: z.array(z.string()),
  /** When the password was last changed: a challenge from before is worth nothing. */
  passwordChangedAt: z.string().nullable(),
})
type Challenge = z.output<typeof challengeSchema>

export type SignedIn =
  | ({ readonly step: 'done'; readonly userId: string } & NewSession)
  /** A code is asked for; hand the challenge back with it. */
  | { readonly step: 'second_factor'; readonly challenge: string }

export type FactorProof = { readonly code: string } | { readonly recoveryCode: string }

/**
 * @throws AkashiError unauthenticated for a wrong name or password, rate_limited after too many of them,
 *   forbidden when passwords are switched off, unavailable when too many are being checked
 */
export async function signInWithPassword(
  parts: LoginParts,
  actor: Actor,
  given: { readonly login: string; readonly password: string },
  signal?: AbortSignal,
): Promise<SignedIn> {
  await requireLocalLogin(parts, actor)
  const attempt = await beginAttempt(
    parts,
    actor,
    'password',
    (session) => accountOf(session, parts, given.login),
    signal,
  )
  const userId = await checkPassword(parts, actor, attempt, given.password, signal)
  const challenge: Challenge = {
    userId,
    issuer: attempt.account.issuer,
    methods: ['pwd'],
    passwordChangedAt: attempt.passwordChangedAt,
  }
  if (attempt.hasFactor) {
    await settleAttempt(parts, actor, attempt, 'partial')
    return askForFactor(parts, challenge)
  }
  return finish(parts, actor, attempt, challenge, false)
}

/** The second step. The challenge serves once more after a wrong code, as long as the account is not locked. */
export async function signInWithFactor(
  parts: LoginParts,
  actor: Actor,
  sealed: string,
  proof: FactorProof,
  signal?: AbortSignal,
): Promise<SignedIn> {
  const challenge = await parts.sealer.open(CHALLENGE, sealed, challengeSchema)
  if (challenge === null) throw beginAgain()
  const { userId, issuer } = challenge
  const known: Account = { userId, identifierHash: null, issuer }
  const attempt = await beginAttempt(parts, actor, methodOf(proof), async () => known, signal)
  if (!attempt.active || attempt.passwordChangedAt !== challenge.passwordChangedAt) {
    await settleAttempt(parts, actor, attempt, 'denied', { reason: 'account_changed' })
    throw beginAgain()
  }
  await checkFactor(parts, person({ userId }, actor.origin), attempt, proof)
  return finish(parts, actor, attempt, { ...challenge, methods: [...challenge.methods, 'otp'] }, true)
}

/** After a provider has said who it is. A provider that asked for a second factor is believed. */
export async function signInWithProvider(
  parts: LoginParts,
  actor: Actor,
  user: {
    readonly id: string
    readonly issuer: string
    readonly active: boolean
    readonly hasFactor: boolean
  },
  provider: { readonly multiFactor: boolean },
): Promise<SignedIn> {
  const account: Account = { userId: user.id, identifierHash: null, issuer: user.issuer }
  const attempt = { account, method: 'oidc' } as const
  if (!user.active) {
    await settleAttempt(parts, actor, attempt, 'denied', { reason: 'account_not_active' })
    throw new AkashiError('unauthenticated', 'this account is not active')
  }
  const challenge: Challenge = {
    userId: user.id,
    issuer: user.issuer,
    methods: ['oidc'],
    passwordChangedAt: null,
  }
  if (user.hasFactor && !provider.multiFactor) {
    await settleAttempt(parts, actor, attempt, 'partial')
    return askForFactor(parts, challenge)
  }
  return finish(parts, actor, attempt, challenge, provider.multiFactor)
}

/** `forbidden` where policy has users of providers alone. */
async function requireLocalLogin(parts: LoginParts, actor: Actor): Promise<LoginRules> {
  const rules = await parts.worker.transaction(actor, readLoginRules)
  if (!rules.localLogin) {
    throw new AkashiError('forbidden', 'passwords are switched off here', {
      hint: 'sign in through an identity provider',
    })
  }
  return rules
}

/** Answers the user whose password it is; settles the attempt when it is not. */
export async function checkPassword(
  parts: LoginParts,
  actor: Actor,
  attempt: Attempt,
  password: string,
  signal?: AbortSignal,
): Promise<string> {
  const { passwords } = parts
  const { userId } = attempt.account
  const verdict = await passwords
    .verify(attempt.passwordHash, password, signal)
    .catch(async (error: unknown) => {
      // Not looked at, so it must not count.
      await settleAttempt(parts, actor, attempt, 'denied', { reason: 'not_checked' })
      throw error
    })
  if (userId === null || !verdict.matches) {
    await settleAttempt(parts, actor, attempt, 'failure', { reason: 'wrong_credentials' })
    throw wrongCredentials()
  }
  // From here on the caller knows the password, and may be told why policy refuses.
  if (!attempt.active || attempt.passwordExpired) {
    const reason = attempt.active ? 'password_expired' : 'account_not_active'
    await settleAttempt(parts, actor, attempt, 'denied', { reason })
    throw attempt.active
      ? new AkashiError('unauthenticated', 'this one-time password has expired', {
          hint: 'ask for another',
          detail: { reason },
        })
      : new AkashiError('unauthenticated', 'this account is not active', { detail: { reason } })
  }
  if (verdict.outdated && attempt.passwordHash !== null) {
    const better = await passwords.hash(password)
    await parts.worker.transaction(actor, (session) =>
      session.query('select akashi_auth.upgrade_password_hash($1, $2, $3)', [
        userId,
        attempt.passwordHash,
        better,
      ]),
    )
  }
  return userId
}

/** Settles the attempt when the code is wrong. */
export async function checkFactor(
  parts: LoginParts,
  actor: Person,
  attempt: Attempt,
  proof: FactorProof,
): Promise<void> {
  const right = await parts.app.transaction(actor, async (session) =>
    useFactor(session, parts, actor.userId, proof, (await readLoginRules(session)).totpSkewSteps),
  )
  if (!right) {
    await settleAttempt(parts, actor, attempt, 'failure', { reason: 'wrong_code' })
    throw new AkashiError('unauthenticated', 'the code is not right, or was used already', {
      hint: 'wait for the next code',
      detail: { reason: 'wrong_code' },
    })
  }
}

export function methodOf(proof: FactorProof): 'totp' | 'recovery_code' {
  return 'code' in proof ? 'totp' : 'recovery_code'
}

async function askForFactor(parts: LoginParts, challenge: Challenge): Promise<SignedIn> {
  return {
    step: 'second_factor',
    challenge: await parts.sealer.seal(CHALLENGE, challenge, CHALLENGE_LIFETIME_S),
  }
}

async function finish(
  parts: LoginParts,
  actor: Actor,
  attempt: Pick<Attempt, 'account' | 'method'>,
  { userId, methods }: Challenge,
  secondFactor: boolean,
): Promise<SignedIn> {
  const user = person({ userId }, actor.origin)
  const begun = await parts.app.transaction(user, (session) =>
    beginSession(session, user, { methods, secondFactor }),
  )
  await settleAttempt(parts, actor, attempt, 'success', { sessionId: begun.sessionId })
  return { step: 'done', userId, ...begun }
}

function wrongCredentials(): AkashiError {
  return new AkashiError('unauthenticated', 'the name or the password is not right')
}

function beginAgain(): AkashiError {
  return new AkashiError('unauthenticated', 'this sign-in is over', {
    hint: 'begin again',
    detail: { reason: 'sign_in_over' },
  })
}
