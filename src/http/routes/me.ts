import { z } from 'zod'
import { searchTrail } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import {
  changePassword,
  decideConsent,
  LOCAL_ISSUER,
  readConsents,
  readUser,
  updateUser,
} from '../../identity/index.ts'
import { consentDecision, consents, passwordChange, profile, profileChange } from '../contract/me.ts'
import { sessionOf, userOf } from '../plugins/authentication.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { cookieNames, writeCookie } from '../plugins/session-cookie.ts'
import { route } from '../route.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'
import { page } from './audit.ts'
import { factorRoutes } from './my-factors.ts'
import { mySessionRoutes } from './my-sessions.ts'

/** What users see and change of themselves. */
export function meRoutes(app: App, services: Services): void {
  const { identity } = services
  const { login } = identity
  route(app, {
    method: 'GET',
    url: '/me',
    access: { self: 'person', scope: 'any', whilePending: true },
    schema: { summary: 'Oneself', tags: ['me'], response: { 200: profile } },
    handle: async (request) => {
      const actor = userOf(request)
      const user = await login.app.transaction(actor, (found) => readUser(found, login.vault, actor.userId))
      if (user === null) throw new AkashiError('not_found', 'there is no such user')
      return user
    },
  })
  route(app, {
    method: 'PATCH',
    url: '/me',
    access: { self: 'person', scope: 'any', stepUp: { with: 'email' } },
    schema: {
      summary: 'Change what others see of oneself, or the e-mail address',
      tags: ['me'],
      body: profileChange,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const actor = userOf(request)
      const { email, ...shown } = request.body
      if (email !== undefined) {
        await login.accounts.transaction(actor, async (found) => {
          const user = await readUser(found, login.vault, actor.userId)
          if (user?.issuer !== LOCAL_ISSUER) {
            throw new AkashiError('forbidden', 'the address comes from the identity provider')
          }
          await updateUser(found, login.vault, actor.userId, { email })
        })
      }
      await login.app.transaction(actor, (found) =>
        updateUser(found, login.vault, actor.userId, given(shown)),
      )
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'PUT',
    url: '/me/password',
    access: { self: 'person', scope: 'none', whilePending: true },
    schema: {
      summary: 'Change the password; every other session ends',
      tags: ['me'],
      body: passwordChange,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const token = await changePassword(login, actor, request.body, callerSignal(reply))
      writeCookie(reply, cookieNames.session, token, session.expiresAt)
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'GET',
    url: '/me/consents',
    access: { self: 'person', scope: 'any' },
    schema: {
      summary: 'What was agreed to',
      tags: ['me'],
      response: { 200: consents },
    },
    handle: async (request) => {
      const actor = userOf(request)
      return login.app.transaction(actor, (found) => readConsents(found, actor.userId))
    },
  })
  route(app, {
    method: 'POST',
    url: '/me/consents',
    access: { self: 'person', scope: 'any' },
    schema: {
      summary: 'Agree, or take it back; every decision stays on record',
      tags: ['me'],
      body: consentDecision,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const actor = userOf(request)
      await login.app.transaction(actor, (found) => decideConsent(found, actor, request.body))
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'GET',
    url: '/me/audit',
    access: { self: 'person', scope: 'any' },
    schema: {
      summary: 'What the trail holds of one’s own actions, newest first',
      tags: ['me'],
      querystring: z.strictObject({
        from: z.string().optional(),
        to: z.string().optional(),
        cursor: z.string().optional(),
        limit: z.coerce.number().optional(),
      }),
      response: { 200: page },
    },
    handle: async (request) => {
      const actor = userOf(request)
      const { rows, next } = await searchTrail(login.app, actor, {
        ...given(request.query),
        userId: actor.userId,
      })
      return { rows: rows.map((found) => ({ ...found })), next }
    },
  })
  mySessionRoutes(app, services)
  factorRoutes(app, services)
}
