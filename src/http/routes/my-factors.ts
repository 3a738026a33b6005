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
import { operation } from '../operation.ts'
import { sessionOf } from '../plugins/authentication.ts'
import { cookieNames, writeCookie } from '../plugins/session-cookie.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Authenticator apps and recovery codes. */
export function factorRoutes(app: App, { identity }: Services): void {
  const { login } = identity
  operation(app, 'GET /v1/me/mfa', {
    access: { self: 'person', scope: 'none', whilePending: true },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      return login.app.transaction(actor, (found) => listFactors(found, actor.userId))
    },
  })
  operation(app, 'POST /v1/me/mfa', {
    access: { self: 'person', scope: 'none', stepUp: true, whilePending: true },
    budget: { requests: 10, seconds: 300 },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      return login.app.transaction(actor, async (found) => {
        const user = await readUser(found, login.vault, actor.userId)
        const account = user?.username ?? actor.userId
        return enrolFactor(found, login, actor.userId, { account, label: request.body.label })
      })
    },
  })
  operation(app, 'POST /v1/me/mfa/{id}/confirm', {
    access: { self: 'person', scope: 'none', stepUp: true, whilePending: true },
    handle: async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const { totpSkewSteps, recoveryCodes: count } = await identity.rules()
      const { token, codes } = await login.app.transaction(actor, async (found) => {
        const confirmed = await confirmFactor(found, login, actor.userId, {
          id: request.params.id,
          code: request.body.code,
          skewSteps: totpSkewSteps,
        })
        if (!confirmed) {
          throw new AkashiError('invalid_input', 'the code is wrong', { hint: 'wait for the next code' })
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
  operation(app, 'DELETE /v1/me/mfa/{id}', {
    access: { self: 'person', scope: 'none', stepUp: true },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      await login.app.transaction(actor, async (found) => {
        await removeFactor(found, actor.userId, request.params.id)
        await recordEvent(found, {
          event_type: 'mfa_removed',
          resource_type: 'user',
          resource_id: actor.userId,
        })
      })
    },
  })
  operation(app, 'POST /v1/me/mfa/recovery-codes', {
    access: { self: 'person', scope: 'none', stepUp: true },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      const { recoveryCodes: count } = await identity.rules()
      return login.app.transaction(actor, async (found) => {
        const { factors: enrolled } = await listFactors(found, actor.userId)
        if (enrolled.length === 0)
          throw new AkashiError('conflict', 'recovery codes require an authenticator')
        return { recoveryCodes: await replaceRecoveryCodes(found, actor.userId, count) }
      })
    },
  })
}
