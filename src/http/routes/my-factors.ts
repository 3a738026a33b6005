import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import {
  confirmFactor,
  enrolFactor,
  listFactors,
  readUser,
  removeFactor,
  renewSession,
  replaceRecoveryCodes,
} from '../../identity/index.ts'
import { recordEvent } from '../../security/index.ts'
import { confirmRequest, enrolment, enrolRequest, factors, recoveryCodes } from '../contract/me.ts'
import { sessionOf } from '../plugins/authentication.ts'
import { cookieNames, writeCookie } from '../plugins/session-cookie.ts'
import { route } from '../route.ts'
import { type App, noContent } from '../schema.ts'
import type { Services } from '../services.ts'

/** Authenticator apps and the recovery codes in their place. */
export function factorRoutes(app: App, { identity }: Services): void {
  const { login } = identity
  const one = z.strictObject({ id: z.guid() })
  route(app, {
    method: 'GET',
    url: '/me/mfa',
    access: { self: 'person', scope: 'none', whilePending: true },
    schema: {
      summary: 'One’s second factors',
      tags: ['me'],
      response: { 200: factors },
    },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      return login.app.transaction(actor, (found) => listFactors(found, actor.userId))
    },
  })
  route(app, {
    method: 'POST',
    url: '/me/mfa',
    access: { self: 'person', scope: 'none', stepUp: true, whilePending: true },
    schema: {
      summary: 'Begin to enrol an authenticator app; it counts once a first code was confirmed',
      tags: ['me'],
      body: enrolRequest,
      response: { 200: enrolment },
    },
    handle: async (request, reply) => {
      const { actor } = sessionOf(request)
      reply.header('cache-control', 'no-store')
      return login.app.transaction(actor, async (found) => {
        const user = await readUser(found, login.vault, actor.userId)
        const account = user?.username ?? actor.userId
        return enrolFactor(found, login, actor.userId, { account, label: request.body.label })
      })
    },
  })
  route(app, {
    method: 'POST',
    url: '/me/mfa/:id/confirm',
    access: { self: 'person', scope: 'none', stepUp: true, whilePending: true },
    schema: {
      summary: 'Confirm an authenticator by its first code; answers new recovery codes',
      tags: ['me'],
      params: one,
      body: confirmRequest,
      response: { 200: recoveryCodes },
    },
    handle: async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const { totpSkewSteps, recoveryCodes: count } = await identity.rules()
      const { token, codes } = await login.app.transaction(actor, async (found) => {
        const right = await confirmFactor(
          found,
          login,
          actor.userId,
          request.params.id,
          request.body.code,
          totpSkewSteps,
        )
        if (!right) {
          throw new AkashiError('invalid_input', 'the code is not right', { hint: 'wait for the next one' })
        }
        await recordEvent(found, {
          event_type: 'mfa_enrolled',
          resource_type: 'user',
          resource_id: actor.userId,
        })
        return {
          codes: await replaceRecoveryCodes(found, actor.userId, count),
          token: await renewSession(found, { methods: ['otp'], secondFactor: true }),
        }
      })
      writeCookie(reply, cookieNames.session, token, session.expiresAt)
      return { recoveryCodes: codes }
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/me/mfa/:id',
    access: { self: 'person', scope: 'none', stepUp: true },
    schema: {
      summary: 'Remove an authenticator',
      tags: ['me'],
      params: one,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const { actor } = sessionOf(request)
      await login.app.transaction(actor, async (found) => {
        await removeFactor(found, actor.userId, request.params.id)
        await recordEvent(found, {
          event_type: 'mfa_removed',
          resource_type: 'user',
          resource_id: actor.userId,
        })
      })
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'POST',
    url: '/me/mfa/recovery-codes',
    access: { self: 'person', scope: 'none', stepUp: true },
    schema: {
      summary: 'New recovery codes in place of all former ones',
      tags: ['me'],
      response: { 200: recoveryCodes },
    },
    handle: async (request, reply) => {
      const { actor } = sessionOf(request)
      reply.header('cache-control', 'no-store')
      const { recoveryCodes: count } = await identity.rules()
      return login.app.transaction(actor, async (found) => {
        const { factors: enrolled } = await listFactors(found, actor.userId)
        if (enrolled.length === 0)
          throw new AkashiError('conflict', 'there is no authenticator to recover from')
        return { recoveryCodes: await replaceRecoveryCodes(found, actor.userId, count) }
      })
    },
  })
}
