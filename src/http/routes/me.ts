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
import { requireStepUp, sessionOf, userOf } from '../plugins/authentication.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { cookieNames, writeCookie } from '../plugins/session-cookie.ts'
import { problemResponse } from '../problem.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'
import { page } from './audit.ts'
import { factorRoutes } from './my-factors.ts'
import { mySessionRoutes } from './my-sessions.ts'

/** What users see and change of themselves. */
export function meRoutes(app: App, services: Services): void {
  const { identity } = services
  const { login } = identity
  const stepUp = requireStepUp(identity)
  app.get(
    '/me',
    {
      config: { whilePending: true },
      schema: { summary: 'Oneself', tags: ['me'], response: { 200: profile, 401: problemResponse } },
    },
    async (request) => {
      const actor = userOf(request)
      const user = await login.app.transaction(actor, (found) => readUser(found, login.vault, actor.userId))
      if (user === null) throw new AkashiError('not_found', 'there is no such user')
      return user
    },
  )
  app.patch(
    '/me',
    {
      schema: {
        summary: 'Change what others see of oneself, or the e-mail address',
        tags: ['me'],
        body: profileChange,
        response: { 204: noContent, 400: problemResponse, 401: problemResponse, 403: problemResponse },
      },
    },
    async (request, reply) => {
      const actor = userOf(request)
      const { email, ...shown } = request.body
      if (email !== undefined) {
        sessionOf(request)
        await stepUp(request)
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
  )
  app.put(
    '/me/password',
    {
      config: { whilePending: true },
      schema: {
        summary: 'Change the password; every other session ends',
        tags: ['me'],
        body: passwordChange,
        response: { 204: noContent, 400: problemResponse, 401: problemResponse, 429: problemResponse },
      },
    },
    async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const token = await changePassword(login, actor, request.body, callerSignal(reply))
      writeCookie(reply, cookieNames.session, token, session.expiresAt)
      return reply.code(204).send()
    },
  )
  app.get(
    '/me/consents',
    {
      schema: {
        summary: 'What was agreed to',
        tags: ['me'],
        response: { 200: consents, 401: problemResponse },
      },
    },
    async (request) => {
      const actor = userOf(request)
      return login.app.transaction(actor, (found) => readConsents(found, actor.userId))
    },
  )
  app.post(
    '/me/consents',
    {
      schema: {
        summary: 'Agree, or take it back; every decision stays on record',
        tags: ['me'],
        body: consentDecision,
        response: { 204: noContent, 400: problemResponse, 401: problemResponse },
      },
    },
    async (request, reply) => {
      const actor = userOf(request)
      await login.app.transaction(actor, (found) => decideConsent(found, actor, request.body))
      return reply.code(204).send()
    },
  )
  app.get(
    '/me/audit',
    {
      schema: {
        summary: 'What the trail holds of one’s own actions, newest first',
        tags: ['me'],
        querystring: z.strictObject({
          from: z.string().optional(),
          to: z.string().optional(),
          cursor: z.string().optional(),
          limit: z.coerce.number().optional(),
        }),
        response: { 200: page, 400: problemResponse, 401: problemResponse },
      },
    },
    async (request) => {
      const actor = userOf(request)
      const { rows, next } = await searchTrail(login.app, actor, {
        ...given(request.query),
        userId: actor.userId,
      })
      return { rows: rows.map((found) => ({ ...found })), next }
    },
  )
  mySessionRoutes(app, services)
  factorRoutes(app, services)
}
