import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import * as identity from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Administration of users. */
export function userRoutes(app: App, { app: database, personVault, keyring }: Services): void {
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
    handle: async (request) => {
      const id = await database.transaction(request.actor, (session) =>
        identity.createUser(session, personVault, request.body),
      )
      return { id }
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
