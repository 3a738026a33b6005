/**
 * Who a request of /v1 comes from: a bearer token (API key, or JWT of a service) or the cookie of a session.
 * What is not recognised is refused; what a session still lacks keeps it from everything but repairing that.
 */
import type { PendingStep } from '@akashi/contract'
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
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
import { isLoopbackAddress } from '../loopback.ts'
import type { Identity } from '../services.ts'
import { identifyActor } from './request-actor.ts'
import { refuseForgery } from './same-origin.ts'
import { cookieNames, readCookie } from './session-cookie.ts'

type Credential =
  | { readonly kind: 'session'; readonly session: AuthenticatedSession; readonly actor: PersonInSession }
  | { readonly kind: 'api_key' }
  | { readonly kind: 'jwt' }

const credentials = new WeakMap<FastifyRequest, Credential>()
const bearer = /^bearer ([\w.~+/=-]{1,8192})$/i

/**
 * Says who is behind the request.
 *
 * @param whilePending whether a session will do that lacks a new password or a second factor
 * @throws AkashiError unauthenticated when nothing valid is shown; forbidden for a session that lacks something
 */
export async function authenticate(
  request: FastifyRequest,
  identity: Identity,
  whilePending: boolean,
): Promise<void> {
  const credential = await credentialOf(request, identity)
  if (credential === null) {
    throw new AkashiError('unauthenticated', 'this needs somebody who is signed in', {
      hint: 'sign in with POST /v1/session, or send authorization: Bearer <API key>',
    })
  }
  credentials.set(request, credential)
  if (credential.kind === 'session' && !whilePending) refusePending(credential.session)
}

/** The session that authenticates a request. `forbidden` when something else does: keys have no session. */
export function sessionOf(request: FastifyRequest): {
  readonly session: AuthenticatedSession
  readonly actor: PersonInSession
} {
  const credential = credentials.get(request)
  if (credential?.kind !== 'session') {
    throw new AkashiError('forbidden', 'this needs a session', { hint: 'sign in with POST /v1/session' })
  }
  return credential
}

/** The user behind a request, whatever shows who they are. `forbidden` for a service, which is no user. */
export function userOf(request: FastifyRequest): Person {
  const { actor } = request
  if (!isPerson(actor)) throw new AkashiError('forbidden', 'service accounts cannot do this')
  return actor
}

/** Whether credentials were shown to this session within so many minutes. */
export function steppedUpUntil(session: AuthenticatedSession, minutes: number): Date {
  return new Date(session.authenticatedAt.getTime() + minutes * 60_000)
}

/**
 * Somebody at a session must have shown credentials lately. A key or a token cannot be asked again; its
 * scopes decide.
 */
export async function requireStepUp(request: FastifyRequest, identity: Identity): Promise<void> {
  const credential = credentials.get(request)
  if (credential?.kind !== 'session') return
  const { stepUpMinutes } = await identity.rules()
  if (identity.login.clock.now() > steppedUpUntil(credential.session, stepUpMinutes)) {
    throw new AkashiError('forbidden', 'this needs credentials that were shown lately', {
      hint: 'POST /v1/session/step-up, then again',
      detail: { reason: 'step_up' },
    })
  }
}

/** What a session lacks before it may do anything else. */
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
  const { id: userId, tenantId } = user
  identifyActor(request, person({ userId, tenantId: tenantId ?? undefined }, request.actor.origin))
  return { kind: 'jwt' }
}

function refusePending(session: AuthenticatedSession): void {
  const lacking = pendingOf(session)
  if (lacking === null) return
  throw new AkashiError(
    'forbidden',
    lacking === 'password_change' ? 'the password must be changed first' : 'a second factor is needed first',
    {
      hint: lacking === 'password_change' ? 'PUT /v1/me/password' : 'POST /v1/me/mfa',
      detail: { reason: lacking },
    },
  )
}

/** A proxy on this machine speaks for callers elsewhere, so what it forwards is not local. */
export function isDirectlyLocal(request: FastifyRequest): boolean {
  const forwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (header) => header in request.headers,
  )
  return !forwarded && isLoopbackAddress(request.socket.remoteAddress)
}
