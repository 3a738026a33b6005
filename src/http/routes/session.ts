import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  authenticateSession,
  currentPermissions,
  type NewSession,
  readUser,
  revokeSession,
  type SignedIn,
  signInWithFactor,
  signInWithPassword,
  stepUp,
} from '../../identity/index.ts'
import { sessionState, signInRequest, signInResponse, stepUpRequest } from '../contract/session.ts'
import { pendingOf, sessionOf, steppedUpUntil } from '../plugins/authentication.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { clearCookie, cookieNames, readCookie, writeCookie } from '../plugins/session-cookie.ts'
import { route } from '../route.ts'
import { type App, noContent } from '../schema.ts'
import type { Identity, Services } from '../services.ts'

/** Signing in, step by step, and out. The token of a session is only ever in its cookie. */
export function sessionRoutes(app: App, { identity }: Services): void {
  const { login } = identity
  route(app, {
    method: 'POST',
    url: '/session',
    access: { public: 'anybody' },
    schema: {
      summary: 'Sign in: a name and a password, then a code where the account has a second factor',
      tags: ['session'],
      body: signInRequest,
      response: { 200: signInResponse },
    },
    handle: async (request, reply) => {
      const { body, actor } = request
      const signal = callerSignal(reply)
      reply.header('cache-control', 'no-store')
      if ('login' in body)
        return answer(identity, request, reply, await signInWithPassword(login, actor, body, signal))
      const challenge = body.challenge ?? readCookie(request, cookieNames.challenge) ?? ''
      return answer(identity, request, reply, await signInWithFactor(login, actor, challenge, body, signal))
    },
  })
  route(app, {
    method: 'GET',
    url: '/session',
    access: { self: 'person', scope: 'none', whilePending: true },
    schema: {
      summary: 'Who is signed in here, and what they may do',
      tags: ['session'],
      response: { 200: sessionState },
    },
    handle: async (request, reply) => {
      reply.header('cache-control', 'no-store')
      const { session, actor } = sessionOf(request)
      const { stepUpMinutes } = await identity.rules()
      const { user, permissions } = await login.app.transaction(actor, async (found) => ({
        user: await readUser(found, login.vault, actor.userId),
        permissions: await currentPermissions(found),
      }))
      return {
        userId: session.userId,
        username: user?.username ?? '',
        displayName: user?.displayName ?? user?.username ?? '',
        tenantId: session.tenantId,
        sessionId: session.sessionId,
        secondFactor: session.secondFactor,
        authenticatedAt: session.authenticatedAt.toISOString(),
        stepUpUntil: steppedUpUntil(session, stepUpMinutes).toISOString(),
        expiresAt: session.expiresAt.toISOString(),
        pending: pendingOf(session),
        permissions: permissions.sort(),
      }
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/session',
    access: { self: 'person', scope: 'none', whilePending: true },
    schema: { summary: 'Sign out', tags: ['session'], response: { 204: noContent } },
    handle: async (request, reply) => {
      const { actor } = sessionOf(request)
      await login.app.transaction(actor, (found) => revokeSession(found, actor.userId, actor.sessionId))
      clearCookie(reply, cookieNames.session)
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'POST',
    url: '/session/step-up',
    access: { self: 'person', scope: 'none', whilePending: true },
    schema: {
      summary: 'Show credentials again, before what is dangerous',
      tags: ['session'],
      body: stepUpRequest,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const token = await stepUp(login, actor, request.body, callerSignal(reply))
      writeCookie(reply, cookieNames.session, token, session.expiresAt)
      return reply.code(204).send()
    },
  })
}

/** The answer to one step; the cookie, when it was the last. */
export async function answer(
  identity: Identity,
  request: FastifyRequest,
  reply: FastifyReply,
  result: SignedIn,
): Promise<{ step: 'done'; userId: string } | { step: 'second_factor'; challenge: string }> {
  if (result.step === 'second_factor') return result
  await replaceSession(identity, request, reply, result)
  return { step: 'done', userId: result.userId }
}

/** A new session takes the place of the one that the browser had, whosever that was (ASVS 5.0 7.2.4). */
async function replaceSession(
  { login }: Identity,
  request: FastifyRequest,
  reply: FastifyReply,
  begun: NewSession,
): Promise<void> {
  const former = readCookie(request, cookieNames.session)
  const ended = former === undefined ? null : await authenticateSession(login.accounts, former)
  if (ended !== null) {
    const owner = { ...request.actor, userId: ended.userId, sessionId: ended.sessionId }
    await login.app.transaction(owner, (found) => revokeSession(found, ended.userId, ended.sessionId))
  }
  clearCookie(reply, cookieNames.challenge)
  writeCookie(reply, cookieNames.session, begun.token, begun.expiresAt)
}
