import { AkashiError } from '../../foundation/index.ts'
import {
  addPasskey,
  challengeNewPasskey,
  listFactors,
  listPasskeys,
  PASSKEY_METHODS,
  readUser,
  removePasskey,
  renewSession,
  replaceRecoveryCodes,
} from '../../identity/index.ts'
import { recordEvent } from '../../security/index.ts'
import { operation } from '../operation.ts'
import { sessionOf } from '../plugins/authentication.ts'
import { cookieNames, writeCookie } from '../plugins/session-cookie.ts'
import { relyingParty } from '../relying-party.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Passkeys of one's own. */
export function passkeyRoutes(app: App, { identity }: Services): void {
  const { login, publicUrl } = identity
  operation(app, 'GET /v1/me/passkeys', {
    access: { self: 'person', scope: 'none', whilePending: true },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      return {
        passkeys: await login.app.transaction(actor, (found) => listPasskeys(found, actor.userId)),
      }
    },
  })
  operation(app, 'POST /v1/me/passkeys/options', {
    access: { self: 'person', scope: 'none', stepUp: true, whilePending: true },
    budget: { requests: 20, seconds: 300 },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      const party = relyingParty(request, publicUrl)
      return await login.app.transaction(actor, async (found) => {
        const user = await readUser(found, login.vault, actor.userId)
        if (user === null) throw new AkashiError('not_found', 'user not found')
        const { challenge, options } = await challengeNewPasskey(found, login.sealer, party, user)
        return { challenge, options: { ...options } }
      })
    },
  })
  operation(app, 'POST /v1/me/passkeys', {
    access: { self: 'person', scope: 'none', stepUp: true, whilePending: true },
    budget: { requests: 20, seconds: 300 },
    handle: async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const party = relyingParty(request, publicUrl)
      const { recoveryCodes: count } = await identity.rules()
      const { id, codes, token } = await login.app.transaction(actor, async (found) => {
        const added = await addPasskey(found, login.sealer, party, actor.userId, request.body)
        await recordEvent(found, {
          event_type: 'mfa_enrolled',
          resource_type: 'user',
          resource_id: actor.userId,
        })
        const { recoveryCodesLeft } = await listFactors(found, actor.userId)
        return {
          id: added,
          codes: recoveryCodesLeft > 0 ? null : await replaceRecoveryCodes(found, actor.userId, count),
          token: await renewSession(found, { methods: PASSKEY_METHODS, secondFactor: true }),
        }
      })
      writeCookie(reply, cookieNames.session, token, session.expiresAt)
      return { id, recoveryCodes: codes }
    },
  })
  operation(app, 'DELETE /v1/me/passkeys/{id}', {
    access: { self: 'person', scope: 'none', stepUp: true },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      await login.app.transaction(actor, async (found) => {
        await removePasskey(found, actor.userId, request.params.id)
        await recordEvent(found, {
          event_type: 'mfa_removed',
          resource_type: 'user',
          resource_id: actor.userId,
        })
      })
    },
  })
}
