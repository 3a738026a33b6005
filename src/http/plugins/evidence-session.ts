/** Authenticates whoever opened an evidence link, by a cookie of its own that no other route reads. */
import type { FastifyRequest } from 'fastify'
import { type LinkScope, linkSession } from '../../evidence/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import type { Identity } from '../services.ts'
import { identifyActor } from './request-actor.ts'
import { refuseForgery } from './same-origin.ts'
import { cookieNames, readCookie } from './session-cookie.ts'

const scopes = new WeakMap<FastifyRequest, LinkScope>()

/** @throws AkashiError unauthenticated, alike without a session and with one that ended */
export async function authenticateLink(request: FastifyRequest, identity: Identity): Promise<void> {
  const cookie = readCookie(request, cookieNames.evidence)
  if (cookie !== undefined) refuseForgery(request, identity.publicUrl)
  const session =
    cookie === undefined ? null : await linkSession(identity.login.worker, request.actor, cookie)
  if (session === null) {
    throw new AkashiError('unauthenticated', 'an evidence link is required', {
      hint: 'open the link again; if it has expired or was revoked, ask whoever sent it',
    })
  }
  identifyActor(request, session.actor)
  scopes.set(request, session.scope)
}

/** What the link of an authenticated request shows. */
export function scopeOf(request: FastifyRequest): LinkScope {
  const scope = scopes.get(request)
  if (scope === undefined) throw new AkashiError('internal', 'the route is not for evidence links')
  return scope
}
