import { LOCAL_ISSUER } from '@akashi/contract'
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import * as identity from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Each hashes a password. */
const hashing = { requests: 30, seconds: 60 }

/** Administration of users. */
export function userRoutes(
  app: App,
  { app: database, personVault, keyring, identity: { login } }: Services,
): void {
  operation(app, 'GET /v1/users', {
    access: { permission: 'users:read', reads: 'user' },
    handle: async (request) => {
      return await database.transaction(request.actor, (session) =>
        identity.viewUsers(session, personVault, request.query),
      )
    },
  })
  operation(app, 'POST /v1/users', {
    access: { permission: 'users:write', stepUp: true },
    budget: hashing,
    handle: async ({ actor, body }) => {
      if (body.issuer === LOCAL_ISSUER) {
        const { id, password } = await identity.createLocalUser(login, actor, body)
        return { id, oneTimePassword: password }
      }
      const id = await database.transaction(actor, (session) =>
        identity.createUser(session, personVault, body),
      )
      return { id, oneTimePassword: null }
    },
  })
  operation(app, 'GET /v1/users/{id}', {
    access: { permission: 'users:read', reads: 'user' },
    handle: async (request) => await one(request, request.params.id),
  })
  operation(app, 'PATCH /v1/users/{id}', {
    access: { permission: 'users:write', stepUp: true, reads: 'user' },
    handle: async (request) => {
      const { id } = request.params
      const { status, classification, ...names } = request.body
      await database.transaction(request.actor, async (session) => {
        await identity.updateUser(session, personVault, id, names)
        if (status !== undefined) await identity.setAccountStatus(session, id, status)
        if (classification !== undefined) await identity.setClassification(session, id, classification)
      })
      return await one(request, id)
    },
  })
  operation(app, 'POST /v1/users/{id}/password', {
    access: { permission: 'users:admin', stepUp: true, reason: true },
    budget: hashing,
    handle: async ({ actor, params, body: { revokeApiKeys } }) => ({
      oneTimePassword: await identity.resetPassword(login, actor, params.id, { revokeApiKeys }),
    }),
  })
  operation(app, 'DELETE /v1/users/{id}/mfa', {
    access: { permission: 'users:admin', stepUp: true },
    handle: ({ actor, params }) => identity.resetFactors(login, actor, params.id),
  })
  operation(app, 'GET /v1/users/{id}/sessions', {
    access: { permission: 'sessions:read', reads: 'user_session' },
    handle: async ({ actor, params }) => ({
      sessions: await identity.viewSessions(database, actor, params.id),
    }),
  })
  operation(app, 'DELETE /v1/users/{id}/sessions', {
    access: { permission: 'sessions:delete', stepUp: true },
    handle: async ({ actor, params }) => ({ ended: await identity.endSessions(login, actor, params.id) }),
  })
  operation(app, 'DELETE /v1/users/{id}/sessions/{sessionId}', {
    access: { permission: 'sessions:delete', stepUp: true },
    handle: async ({ actor, params }) => {
      const ended = await identity.endSessions(login, actor, params.id, params.sessionId)
      if (ended === 0) throw new AkashiError('not_found', 'session not found')
    },
  })
  operation(app, 'POST /v1/users/{id}/erasure', {
    access: { permission: 'keys:admin', stepUp: true, reason: true },
    handle: (request) =>
      identity.eraseUser({ database, keyring }, request.actor, request.params.id, request.body),
  })
  operation(app, 'GET /v1/users/{id}/erasure', {
    access: { permission: 'keys:read' },
    handle: async (request) => {
      const found = await identity.readErasure({ database }, request.actor, request.params.id)
      if (found === null) throw new AkashiError('not_found', 'this person was not erased')
      return found
    },
  })

  async function one(request: FastifyRequest, id: string) {
    const found = await database.transaction(request.actor, (session) =>
      identity.viewUser(session, personVault, id),
    )
    if (found === null) throw new AkashiError('not_found', 'user not found')
    return found
  }
}
