/** Confirming credentials again within a session, before dangerous operations (ASVS 5.0 7.5.3). */
import { LOCAL_ISSUER } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { PersonInSession } from '../../postgres/index.ts'
import { renewSession } from '../sessions/index.ts'
import { type Account, beginAttempt, settleAttempt } from './attempt.ts'
import type { LoginParts } from './parts.ts'
import { amrOf, checkFactor, checkPassword, type FactorProof, methodOf } from './sign-in.ts'

export type StepUpProof = FactorProof | { readonly password: string }

/** Returns a new token of the session; the old one becomes invalid. A user with a second factor must use it. */
export async function stepUp(
  parts: LoginParts,
  actor: PersonInSession,
  proof: StepUpProof,
  signal?: AbortSignal,
): Promise<string> {
  const account: Account = { userId: actor.userId, identifierHash: null, issuer: LOCAL_ISSUER }
  const method = 'password' in proof ? 'password' : methodOf(proof)
  const attempt = await beginAttempt(parts, actor, method, async () => account, signal)
  if ('password' in proof) {
    if (attempt.hasFactor) {
      await settleAttempt(parts, actor, attempt, 'denied', { reason: 'needs_second_factor' })
      throw new AkashiError('invalid_input', 'this account requires its second factor', {
        hint: 'send its code',
      })
    }
    await checkPassword(parts, actor, attempt, proof.password, signal)
  } else {
    await checkFactor(parts, actor, attempt, proof)
  }
  const how =
    'password' in proof
      ? { methods: ['pwd'], secondFactor: false }
      : { methods: amrOf(proof), secondFactor: true }
  const token = await parts.app.transaction(actor, (session) => renewSession(session, how))
  // No sign-in: it earns no trust for the address, and clears no failures.
  await settleAttempt(parts, actor, attempt, 'partial', { sessionId: actor.sessionId })
  return token
}
