import { proveOwnRow, searchOwnTrail, searchTrailAboutOneself, verifierKeys } from '../../audit/index.ts'
import { AkashiError, given } from '../../foundation/index.ts'
import {
  changePassword,
  decideConsent,
  readConsents,
  readErasureRequest,
  readUser,
  requestErasure,
  updateUser,
} from '../../identity/index.ts'
import { formatVerifierKey } from '../../keys/index.ts'
import { operation } from '../operation.ts'
import { sessionOf, userOf } from '../plugins/authentication.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { cookieNames, writeCookie } from '../plugins/session-cookie.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { factorRoutes } from './my-factors.ts'
import { passkeyRoutes } from './my-passkeys.ts'
import { mySessionRoutes } from './my-sessions.ts'

/** What users can read and change about themselves. */
export function meRoutes(app: App, services: Services): void {
  const { identity } = services
  const { login } = identity
  operation(app, 'GET /v1/me', {
    access: { self: 'person', scope: 'none', whilePending: true },
    handle: async (request) => {
      const actor = userOf(request)
      const user = await login.app.transaction(actor, (found) => readUser(found, login.vault, actor.userId))
      if (user === null) throw new AkashiError('not_found', 'user not found')
      return user
    },
  })
  operation(app, 'PATCH /v1/me', {
    access: { self: 'person', scope: 'none' },
    budget: { requests: 30, seconds: 60 },
    handle: async (request) => {
      const actor = userOf(request)
      await login.app.transaction(actor, (found) =>
        updateUser(found, login.vault, actor.userId, given(request.body)),
      )
    },
  })
  operation(app, 'PUT /v1/me/password', {
    access: { self: 'person', scope: 'none', stepUp: true, whilePending: true },
    budget: { requests: 10, seconds: 300 },
    handle: async (request, reply) => {
      const { actor, session } = sessionOf(request)
      const token = await changePassword(login, actor, request.body, callerSignal(reply))
      writeCookie(reply, cookieNames.session, token, session.expiresAt)
    },
  })
  operation(app, 'GET /v1/me/consents', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => {
      const actor = userOf(request)
      return login.app.transaction(actor, (found) => readConsents(found, actor.userId))
    },
  })
  operation(app, 'POST /v1/me/consents', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => {
      const actor = userOf(request)
      await login.app.transaction(actor, (found) => decideConsent(found, actor, request.body))
    },
  })
  operation(app, 'GET /v1/me/audit', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => {
      const actor = userOf(request)
      const { by, ...filter } = given(request.query)
      return by === 'others'
        ? await searchTrailAboutOneself(services.securityAdmin, actor, filter)
        : await searchOwnTrail(login.app, actor, filter)
    },
  })
  operation(app, 'GET /v1/me/audit/{id}/proof', {
    access: { self: 'person', scope: 'none' },
    budget: { requests: 60, seconds: 60 },
    handle: async (request) => {
      const { proof, origin } = await proveOwnRow(login.app, userOf(request), request.params.id)
      const keys = await verifierKeys(services.keyring)(origin)
      return { proof, keys: keys.map((key) => formatVerifierKey(key)) }
    },
  })
  operation(app, 'GET /v1/me/erasure-request', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => ({
      request: await readErasureRequest(services.securityAdmin, userOf(request)),
    }),
  })
  operation(app, 'POST /v1/me/erasure-request', {
    access: { self: 'person', scope: 'none', stepUp: true },
    budget: { requests: 5, seconds: 3_600 },
    handle: async (request) => {
      const { securityAdmin } = services
      await requestErasure({ app: login.app, securityAdmin }, userOf(request), request.body.reason)
    },
  })
  mySessionRoutes(app, services)
  factorRoutes(app, services)
  passkeyRoutes(app, services)
}
