import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import * as identity from '../../identity/index.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const tags = ['users']
const byId = z.strictObject({ id: z.guid() })

const user = z.object({
  id: z.string(),
  issuer: z.string(),
  subject: z.string().nullable().describe('null when the person was erased'),
  username: z.string(),
  displayName: z.string().nullable(),
  email: z.string().nullable().describe('null when the person was erased'),
  avatarUrl: z.string().nullable(),
  status: z.enum(identity.accountStatuses),
  classification: z.enum(identity.classifications),
  tenantId: z.string().nullable(),
  complianceTags: z.record(z.string(), z.unknown()),
  lastLoginAt: z.string().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
})

const change = identity.userChangeSchema.extend({
  status: z.enum(['active', 'inactive', 'suspended']).optional(),
  classification: z.enum(identity.classifications).optional(),
})

const erasure = z.object({
  userId: z.string(),
  requestedAt: z.string(),
  requestedBy: z.string(),
  reason: z.string(),
  completedAt: z.string().nullable(),
  certificate: z.string().nullable().describe('a signed note (C2SP signed-note); null while not completed'),
})

/** Users as administrators see and manage them. */
export function userRoutes(app: App, { app: database, vault, keyring }: Services): void {
  route(app, {
    method: 'GET',
    url: '/users',
    access: { permission: 'users:read', reads: 'user' },
    schema: {
      summary: 'Users by username',
      tags,
      querystring: z.strictObject({
        status: z.enum(identity.accountStatuses).optional(),
        issuer: z.string().optional(),
        tenantId: z.string().optional(),
        usernamePrefix: z.string().optional(),
        limit: z.coerce.number().int().min(1).max(identity.USERS_PAGE_LIMIT).optional(),
        cursor: z.string().optional(),
      }),
      response: { 200: z.object({ users: z.array(user), next: z.string().nullable() }) },
    },
    handle: async (request) => {
      const page = await database.transaction(request.actor, (session) =>
        identity.viewUsers(session, vault, request.query),
      )
      return { users: page.users.map(plain), next: page.next }
    },
  })
  route(app, {
    method: 'POST',
    url: '/users',
    access: { permission: 'users:write', stepUp: true },
    schema: {
      summary: 'Make a user',
      tags,
      body: identity.newUserSchema,
      response: { 201: z.object({ id: z.string() }) },
    },
    handle: async (request, reply) => {
      const id = await database.transaction(request.actor, (session) =>
        identity.createUser(session, vault, request.body),
      )
      return reply.code(201).send({ id })
    },
  })
  route(app, {
    method: 'GET',
    url: '/users/:id',
    access: { permission: 'users:read', reads: 'user' },
    schema: { summary: 'One user', tags, params: byId, response: { 200: user } },
    handle: async (request) => await one(request, request.params.id),
  })
  route(app, {
    method: 'PATCH',
    url: '/users/:id',
    access: { permission: 'users:write', stepUp: true, reads: 'user' },
    schema: {
      summary: 'Change a user: names, e-mail, state of the account; the classification takes users:admin',
      tags,
      params: byId,
      body: change,
      response: { 200: user },
    },
    handle: async (request) => {
      const { id } = request.params
      const { status, classification, ...names } = request.body
      await database.transaction(request.actor, async (session) => {
        await identity.updateUser(session, vault, id, names)
        if (status !== undefined) await identity.setAccountStatus(session, id, status)
        if (classification !== undefined) await identity.setClassification(session, id, classification)
      })
      return await one(request, id)
    },
  })
  route(app, {
    method: 'POST',
    url: '/users/:id/erasure',
    access: { permission: 'keys:admin', stepUp: true, reason: true },
    schema: {
      summary: 'Erase a person for good',
      tags,
      params: byId,
      body: z.strictObject({
        confirm: z.string().describe('the username or id once more'),
        reason: z.string().min(1).max(1000),
      }),
      response: { 200: erasure },
    },
    handle: async (request) => ({
      ...(await identity.eraseUser({ database, keyring }, request.actor, request.params.id, request.body)),
    }),
  })
  route(app, {
    method: 'GET',
    url: '/users/:id/erasure',
    access: { permission: 'keys:read' },
    schema: {
      summary: 'The erasure of a person, with its certificate',
      tags,
      params: byId,
      response: { 200: erasure },
    },
    handle: async (request) => {
      const found = await identity.readErasure({ database }, request.actor, request.params.id)
      if (found === null) throw new AkashiError('not_found', 'this person was not erased')
      return { ...found }
    },
  })

  async function one(request: FastifyRequest, id: string) {
    const found = await database.transaction(request.actor, (session) =>
      identity.viewUser(session, vault, id),
    )
    if (found === null) throw new AkashiError('not_found', 'there is no such user')
    return plain(found)
  }
}

const plain = (found: identity.User) => ({ ...found, complianceTags: { ...found.complianceTags } })
