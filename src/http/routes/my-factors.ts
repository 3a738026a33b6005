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
import { requireStepUp, sessionOf } from '../plugins/authentication.ts'
import { cookieNames, writeCookie } from '../plugins/session-cookie.ts'
import { problemResponse } from '../problem.ts'
import { type App, noContent } from '../schema.ts'
import type { Services } from '../services.ts'

/** Authenticator apps and the recovery codes in their place. */
export function factorRoutes(app: App, { identity }: Services): void {
  const { login } = identity
  const stepUp = requireStepUp(identity)
  const one = z.strictObject({ id: z.guid() })
  app.get(
    '/me/mfa',
    {
      config: { whilePending: true },
      schema: {
        summary: 'One’s second factors',
        tags: ['me'],
        response: { 200: factors, 401: problemResponse },
      },
    },
    async (request) => {
      const { actor } = sessionOf(request)
      return login.app.transaction(actor, (found) => listFactors(found, actor.userId))
    },
  )
  app.post(
    '/me/mfa',
    {
      config: { whilePending: true },
      preHandler: stepUp,
      schema: {
        summary: 'Begin to enrol an authenticator app; it counts once a first code was confirmed',
        tags: ['me'],
        body: enrolRequest,
        response: { 200: enrolment, 401: problemResponse, 403: problemResponse },
      },
    },
    async (request, reply) => {
      const { actor } = sessionOf(request)
      reply.header('cache-control', 'no-store')
      return login.app.transaction(actor, async (found) => {
        const user = await readUser(found, login.vault, actor.userId)
        const account = user?.username ?? actor.userId
        return enrolFactor(found, login, actor.userId, { account, label: request.body.label })
      })
    },
  )
  app.post(
    '/me/mfa/:id/confirm',
    {
      config: { whilePending: true },
      preHandler: stepUp,
      schema: {
        summary: 'Confirm an authenticator by its first code; answers new recovery codes',
        tags: ['me'],
        params: one,
        body: confirmRequest,
        response: { 200: recoveryCodes, 400: problemResponse, 401: problemResponse, 404: problemResponse },
      },
    },
    async (request, reply) => {
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
  )
  app.delete(
    '/me/mfa/:id',
    {
      preHandler: stepUp,
      schema: {
        summary: 'Remove an authenticator',
        tags: ['me'],
        params: one,
        response: { 204: noContent, 401: problemResponse, 403: problemResponse, 404: problemResponse },
      },
    },
    async (request, reply) => {
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
  )
  app.post(
    '/me/mfa/recovery-codes',
    {
      preHandler: stepUp,
      schema: {
        summary: 'New recovery codes in place of all former ones',
        tags: ['me'],
        response: { 200: recoveryCodes, 401: problemResponse, 403: problemResponse },
      },
    },
    async (request, reply) => {
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
  )
}
