import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  authenticateSession,
  challengePasskey,
  currentPermissions,
  type NewSession,
  readUser,
  revokeSession,
  type SignedIn,
  signInWithFactor,
  signInWithPasskey,
  signInWithPassword,
  stepUp,
} from '../../identity/index.ts'
import { person } from '../../postgres/index.ts'
import { operation } from '../operation.ts'
import { pendingOf, sessionOf, steppedUpUntil } from '../plugins/authentication.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { clearCookie, cookieNames, readCookie, writeCookie } from '../plugins/session-cookie.ts'
import { relyingParty } from '../relying-party.ts'
import type { App } from '../schema.ts'
import type { Identity, Services } from '../services.ts'

/** Sign-in step by step, and sign-out. The session token is only ever in its cookie. */
export function sessionRoutes(app: App, { identity }: Services): void {
  const { login } = identity
  operation(app, 'POST /v1/session', {
    access: { public: 'anybody' },
    handle: async (request, reply) => {
      const { body, actor } = request
      const signal = callerSignal(reply)
      if ('login' in body)
        return answer(identity, request, reply, await signInWithPassword(login, actor, body, signal))
      if ('passkey' in body) {
        const party = relyingParty(request, identity.publicUrl)
        const { passkey } = body
        const redirected = () => readCookie(request, cookieNames.challenge) ?? ''
        return answer(
          identity,
          request,
          reply,
          'challenge' in body
            ? await signInWithFactor(
                login,
                actor,
                body.challenge === '' ? redirected() : body.challenge,
                { passkey, party },
                signal,
              )
            : await signInWithPasskey(login, actor, passkey, party, signal),
        )
      }
      const challenge = body.challenge ?? readCookie(request, cookieNames.challenge) ?? ''
      return answer(identity, request, reply, await signInWithFactor(login, actor, challenge, body, signal))
    },
  })
  operation(app, 'POST /v1/session/passkey', {
    access: { public: 'anybody' },
    handle: async (request) => {
      const { challenge, options } = await challengePasskey(
        login.sealer,
        relyingParty(request, identity.publicUrl),
      )
      return { challenge, options: { ...options } }
    },
  })
  operation(app, 'GET /v1/session', {
    access: { self: 'person', scope: 'none', whilePending: true },
    handle: async (request) => {
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
  operation(app, 'DELETE /v1/session', {
    access: { self: 'person', scope: 'none', whilePending: true },
    handle: async (request, reply) => {
      const { actor } = sessionOf(request)
      await login.app.transaction(actor, (found) => revokeSession(found, actor.userId, actor.sessionId))
      clearCookie(reply, cookieNames.session)
      // The browser may have cached files, which the next person must not see.
      reply.header('clear-site-data', '"cache"')
    },
  })
  operation(app, 'POST /v1/session/step-up', {
    access: { self: 'person', scope: 'none', whilePending: true },
    budget: { requests: 20, seconds: 60 },
    handle: async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const { body } = request
      const proof =
        'passkey' in body ? { passkey: body.passkey, party: relyingParty(request, identity.publicUrl) } : body
      const token = await stepUp(login, actor, proof, callerSignal(reply))
      writeCookie(reply, cookieNames.session, token, session.expiresAt)
    },
  })
}

/** The response to one step; sets the session cookie after the last one. */
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

/** Replaces the browser's previous session, whoever's it was, by the new one (ASVS 5.0 7.2.4). */
async function replaceSession(
  { login }: Identity,
  request: FastifyRequest,
  reply: FastifyReply,
  begun: NewSession,
): Promise<void> {
  const former = readCookie(request, cookieNames.session)
  const ended = former === undefined ? null : await authenticateSession(login.worker, request.actor, former)
  if (ended !== null) {
    const owner = person({ userId: ended.userId, sessionId: ended.sessionId }, request.actor.origin)
    await login.app.transaction(owner, (found) => revokeSession(found, ended.userId, ended.sessionId))
  }
  clearCookie(reply, cookieNames.challenge)
  writeCookie(reply, cookieNames.session, begun.token, begun.expiresAt)
}
