/**
 * Authenticates a request of /v1 by a bearer token (API key, or JWT of a service) or a session cookie. A session
 * that must still set a new password or a second factor can do nothing else.
 */
import type { PendingStep } from '@akashi/contract'
import type { FastifyRequest } from 'fastify'
import { AkashiError, isLoopbackAddress } from '../../foundation/index.ts'
import {
  type AuthenticatedSession,
  authenticateSession,
  findProviderUser,
  looksLikeApiKey,
  looksLikeJwt,
  verifyApiKey,
  verifyBearer,
} from '../../identity/index.ts'
import { isPerson, type Person, type PersonInSession, person } from '../../postgres/index.ts'
import type { Identity } from '../services.ts'
import { identifyActor } from './request-actor.ts'
import { refuseForgery } from './same-origin.ts'
import { cookieNames, readCookie } from './session-cookie.ts'

type Credential =
  | { readonly kind: 'session'; readonly session: AuthenticatedSession; readonly actor: PersonInSession }
  | { readonly kind: 'api_key' }
  /** For a person who has or needs a second factor: when credentials were given. */
  | { readonly kind: 'jwt'; readonly factor: boolean; readonly authenticatedAt: Date | null }

const credentials = new WeakMap<FastifyRequest, Credential>()
const bearer = /^bearer ([\w.~+/=-]{1,8192})$/i

/**
 * Sets the actor of the request.
 *
 * @param whilePending whether to accept a session that must still set a new password or a second factor
 * @throws AkashiError unauthenticated without valid credentials; forbidden for a session with a pending step
 */
export async function authenticate(
  request: FastifyRequest,
  identity: Identity,
  whilePending: boolean,
): Promise<void> {
  const credential = await credentialOf(request, identity)
  if (credential === null) {
    throw new AkashiError('unauthenticated', 'authentication required', {
      hint: 'sign in with POST /v1/session, or send authorization: Bearer <API key>',
    })
  }
  credentials.set(request, credential)
  if (credential.kind === 'session' && !whilePending) refusePending(credential.session)
}

/** The session of a request. @throws forbidden when a key or token authenticates it */
export function sessionOf(request: FastifyRequest): {
  readonly session: AuthenticatedSession
  readonly actor: PersonInSession
} {
  const credential = credentials.get(request)
  if (credential?.kind !== 'session') {
    throw new AkashiError('forbidden', 'a session is required', { hint: 'sign in with POST /v1/session' })
  }
  return credential
}

/** The user of a request, with any credentials. @throws forbidden for a service account */
export function userOf(request: FastifyRequest): Person {
  const { actor } = request
  if (!isPerson(actor)) throw new AkashiError('forbidden', 'service accounts cannot do this')
  return actor
}

/** Until when the latest confirmation of credentials counts as recent. */
export function steppedUpUntil(
  session: Pick<AuthenticatedSession, 'authenticatedAt'>,
  minutes: number,
): Date {
  return new Date(session.authenticatedAt.getTime() + minutes * 60_000)
}

/**
 * Requires that credentials were recently presented in the session, or by the person whose token has proof of a
 * second factor. A key or another token cannot confirm; its scopes decide.
 */
export async function requireStepUp(request: FastifyRequest, identity: Identity): Promise<void> {
  const credential = credentials.get(request)
  const shownAt = confirmationOf(credential)
  if (shownAt === undefined) return
  const { stepUpMinutes } = await identity.rules()
  if (identity.login.clock.now() > steppedUpUntil({ authenticatedAt: shownAt }, stepUpMinutes)) {
    throw new AkashiError('forbidden', 'recent confirmation is required', {
      hint: 'confirm with POST /v1/session/step-up, then repeat the request',
      detail: { reason: 'step_up' },
    })
  }
}

/** When credentials were given; undefined if they cannot be requested. */
function confirmationOf(credential: Credential | undefined): Date | undefined {
  if (credential?.kind === 'session') return credential.session.authenticatedAt
  return credential?.kind === 'jwt' && credential.factor
    ? (credential.authenticatedAt ?? new Date(0))
    : undefined
}

/** The step that a session must complete before anything else. */
export function pendingOf(session: AuthenticatedSession): PendingStep | null {
  if (session.mustChangePassword) return 'password_change'
  return session.needsFactor ? 'second_factor' : null
}

async function credentialOf(request: FastifyRequest, identity: Identity): Promise<Credential | null> {
  const { authorization } = request.headers
  if (authorization !== undefined) {
    const token = bearer.exec(authorization)?.[1]
    return token === undefined ? null : bearerCredential(request, identity, token)
  }
  const cookie = readCookie(request, cookieNames.session)
  if (cookie === undefined) return null
  refuseForgery(request, identity.publicUrl)
  const session = await authenticateSession(identity.login.worker, request.actor, cookie)
  if (session === null) return null
  const { userId, sessionId, tenantId } = session
  const actor = person({ userId, sessionId, tenantId: tenantId ?? undefined }, request.actor.origin)
  identifyActor(request, actor)
  return { kind: 'session', session, actor }
}

async function bearerCredential(
  request: FastifyRequest,
  identity: Identity,
  token: string,
): Promise<Credential | null> {
  if (looksLikeApiKey(token)) {
    const caller = await verifyApiKey(identity.login.app, token, request.actor.origin)
    if (caller === null) return null
    identifyActor(request, caller.actor)
    return { kind: 'api_key' }
  }
  if (!looksLikeJwt(token)) return null
  const claimed = await verifyBearer(identity.issuers, token)
  if (claimed === null) return null
  const user = await identity.login.worker.transaction(request.actor, (session) =>
    findProviderUser(session, identity.login, claimed.issuer, claimed.subject),
  )
  if (user === null || !user.active) return null
  const { id: userId, tenantId, hasFactor, needsFactor } = user
  const factor = !claimed.isService && (hasFactor || needsFactor)
  if (factor && !claimed.multiFactor) {
    throw new AkashiError('forbidden', 'the token does not state that a second factor was used', {
      hint: 'sign in with POST /v1/session, or configure the provider to add amr to the token',
      detail: { reason: 'second_factor' },
    })
  }
  identifyActor(request, person({ userId, tenantId: tenantId ?? undefined }, request.actor.origin))
  return { kind: 'jwt', factor, authenticatedAt: claimed.authenticatedAt }
}

function refusePending(session: AuthenticatedSession): void {
  const lacking = pendingOf(session)
  if (lacking === null) return
  throw new AkashiError(
    'forbidden',
    lacking === 'password_change'
      ? 'the password must be changed first'
      : 'a second factor must be set up first',
    {
      hint: lacking === 'password_change' ? 'PUT /v1/me/password' : 'POST /v1/me/mfa',
      detail: { reason: lacking },
    },
  )
}

/** Whether the caller is on this machine. Requests forwarded by a local proxy are not. */
export function isDirectlyLocal(request: FastifyRequest): boolean {
  const forwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (header) => header in request.headers,
  )
  return !forwarded && isLoopbackAddress(request.socket.remoteAddress)
}
