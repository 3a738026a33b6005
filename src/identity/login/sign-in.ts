/**
 * Sign-in, step by step: a password or an identity provider, then a second factor if there is one. A wrong name and a
 * wrong password get the same response and take the same work (ASVS 5.0 6.3.8).
 */
import { LOCAL_ISSUER } from '@akashi/contract'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { type Actor, type Person, person } from '../../postgres/index.ts'
import {
  findPasskey,
  PASSKEY_METHODS,
  type PasskeyProof,
  type RelyingParty,
  useFactor,
  usePasskey,
} from '../mfa/index.ts'
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
  /** When the password was last changed; invalidates older challenges. */
  passwordChangedAt: z.string().nullable(),
  /** When a provider says that credentials were shown, in ms since 1970; without it, now. */
  authenticatedAt: z.number().optional(),
})
type Challenge = z.output<typeof challengeSchema>

export type SignedIn =
  | ({ readonly step: 'done'; readonly userId: string } & NewSession)
  /** A code is required; send it with the challenge. */
  | { readonly step: 'second_factor'; readonly challenge: string }

export type FactorProof =
  | { readonly code: string }
  | { readonly recoveryCode: string }
  | { readonly passkey: PasskeyProof; readonly party: RelyingParty }

/**
 * @throws AkashiError unauthenticated for a wrong name or password; rate_limited after too many failures; forbidden
 *   when passwords are disabled; unavailable when too many are being checked
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

/** The second step. The challenge can be used again after a wrong code, unless the account is locked. */
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
  return finish(
    parts,
    actor,
    attempt,
    { ...challenge, methods: [...challenge.methods, ...amrOf(proof)] },
    true,
  )
}

/**
 * Signs in with a passkey alone, which is two factors.
 *
 * @throws AkashiError unauthenticated for a passkey that is unknown or does not match the challenge;
 * forbidden when passwords are disabled: then an identity provider alone signs people in
 */
export async function signInWithPasskey(
  parts: LoginParts,
  actor: Actor,
  proof: PasskeyProof,
  party: RelyingParty,
  signal?: AbortSignal,
): Promise<SignedIn> {
  await requireLocalLogin(parts, actor)
  const passkey = await parts.worker.transaction(actor, (session) => findPasskey(session, proof))
  // Users of a provider sign in there first, because the provider may have closed the account.
  const known = passkey?.issuer === LOCAL_ISSUER ? passkey : null
  const account: Account = {
    userId: known?.userId ?? null,
    identifierHash:
      known === null ? await parts.vault.blindIndex('passkey', String(proof.response['id'])) : null,
    issuer: LOCAL_ISSUER,
  }
  const attempt = await beginAttempt(parts, actor, 'passkey', async () => account, signal)
  const right =
    known !== null &&
    (await parts.worker.transaction(actor, (session) =>
      usePasskey(session, parts.sealer, party, known, proof),
    ))
  if (!right) {
    await settleAttempt(parts, actor, attempt, 'failure', { reason: 'wrong_credentials' })
    throw new AkashiError('unauthenticated', 'this passkey cannot be used to sign in', {
      hint: 'start again, or sign in with a name and a password',
    })
  }
  if (!attempt.active) {
    await settleAttempt(parts, actor, attempt, 'denied', { reason: 'account_not_active' })
    throw new AkashiError('unauthenticated', 'this account is not active')
  }
  const challenge = {
    userId: known.userId,
    issuer: LOCAL_ISSUER,
    methods: [...PASSKEY_METHODS],
    passwordChangedAt: null,
  }
  return finish(parts, actor, attempt, challenge, true)
}

/** Signs in a user authenticated by a provider. A second factor reported by the provider is accepted. */
export async function signInWithProvider(
  parts: LoginParts,
  actor: Actor,
  user: {
    readonly id: string
    readonly issuer: string
    readonly active: boolean
    readonly hasFactor: boolean
  },
  provider: { readonly multiFactor: boolean; readonly authenticatedAt: Date | null },
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
    // Only the provider knows how long ago the user authenticated there.
    authenticatedAt: provider.authenticatedAt?.getTime() ?? 0,
  }
  if (user.hasFactor && !provider.multiFactor) {
    await settleAttempt(parts, actor, attempt, 'partial')
    return askForFactor(parts, challenge)
  }
  return finish(parts, actor, attempt, challenge, provider.multiFactor)
}

/** @throws forbidden when the policy allows only identity providers */
async function requireLocalLogin(parts: LoginParts, actor: Actor): Promise<LoginRules> {
  const rules = await parts.worker.transaction(actor, readLoginRules)
  if (!rules.localLogin) {
    throw new AkashiError('forbidden', 'signing in with a password is disabled', {
      hint: 'sign in through an identity provider',
    })
  }
  return rules
}

/** Checks the password and returns the user's id; records the attempt if it fails. */
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
      // Not checked, so it must not count as a failure.
      await settleAttempt(parts, actor, attempt, 'denied', { reason: 'not_checked' })
      throw error
    })
  if (userId === null || !verdict.matches) {
    await settleAttempt(parts, actor, attempt, 'failure', { reason: 'wrong_credentials' })
    throw wrongCredentials()
  }
  // The caller knows the password, so the reason for a refusal can be disclosed.
  if (!attempt.active || attempt.passwordExpired) {
    const reason = attempt.active ? 'password_expired' : 'account_not_active'
    await settleAttempt(parts, actor, attempt, 'denied', { reason })
    throw attempt.active
      ? new AkashiError('unauthenticated', 'this one-time password has expired', {
          hint: 'ask an administrator for a new one',
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

/** Checks a code; records the attempt if it is wrong. */
export async function checkFactor(
  parts: LoginParts,
  actor: Person,
  attempt: Attempt,
  proof: FactorProof,
): Promise<void> {
  const right =
    'passkey' in proof
      ? await parts.worker.transaction(actor, async (session) => {
          const passkey = await findPasskey(session, proof.passkey)
          if (passkey?.userId !== actor.userId) return false
          return await usePasskey(session, parts.sealer, proof.party, passkey, proof.passkey)
        })
      : await parts.app.transaction(actor, async (session) =>
          useFactor(session, parts, actor.userId, proof, (await readLoginRules(session)).totpSkewSteps),
        )
  if (!right) {
    await settleAttempt(parts, actor, attempt, 'failure', { reason: 'wrong_code' })
    throw new AkashiError('unauthenticated', 'the code is wrong or was already used', {
      hint: 'wait for the next code',
      detail: { reason: 'wrong_code' },
    })
  }
}

export function methodOf(proof: FactorProof): 'totp' | 'recovery_code' | 'passkey' {
  if ('passkey' in proof) return 'passkey'
  return 'code' in proof ? 'totp' : 'recovery_code'
}

/** Names of RFC 8176. */
export function amrOf(proof: FactorProof): readonly string[] {
  return 'passkey' in proof ? PASSKEY_METHODS : ['otp']
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
  { userId, methods, authenticatedAt }: Challenge,
  secondFactor: boolean,
): Promise<SignedIn> {
  const user = person({ userId }, actor.origin)
  const begun = await parts.app.transaction(user, (session) =>
    beginSession(session, user, {
      methods,
      secondFactor,
      // A code that was shown here is shown now.
      authenticatedAt:
        authenticatedAt === undefined || methods.includes('otp') || methods.includes('pop')
          ? undefined
          : new Date(authenticatedAt),
    }),
  )
  await settleAttempt(parts, actor, attempt, 'success', { sessionId: begun.sessionId })
  return { step: 'done', userId, ...begun }
}

function wrongCredentials(): AkashiError {
  return new AkashiError('unauthenticated', 'the name or the password is wrong')
}

function beginAgain(): AkashiError {
  return new AkashiError('unauthenticated', 'this sign-in has expired', {
    hint: 'start again',
    detail: { reason: 'sign_in_over' },
  })
}
