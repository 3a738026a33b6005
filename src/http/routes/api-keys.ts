import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { createApiKey, listApiKeys, revokeApiKey, rotateApiKey } from '../../identity/index.ts'
import { apiKeys, issuedKey, newApiKey, rotation } from '../contract/access.ts'
import { route } from '../route.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'

const one = z.strictObject({ id: z.guid() })

/** Keys of programs: one's own, and by permission those of service accounts. A key is answered once. */
export function apiKeyRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  route(app, {
    method: 'GET',
    url: '/api-keys',
    access: { self: 'caller', others: 'api_keys:read' },
    schema: {
      summary: 'One’s own keys; with api_keys:read everybody’s',
      tags: ['access'],
      response: { 200: apiKeys },
    },
    handle: async (request) => ({ keys: await listApiKeys(database, request.actor) }),
  })
  route(app, {
    method: 'POST',
    url: '/api-keys',
    access: { self: 'caller', others: 'api_keys:write', stepUp: true },
    schema: {
      summary: 'Make a key for oneself or for a service account',
      tags: ['access'],
      body: newApiKey,
      response: { 201: issuedKey },
    },
    handle: async (request, reply) => {
      const issued = await createApiKey(database, request.actor, given(request.body))
      return reply.code(201).header('cache-control', 'no-store').send(issued)
    },
  })
  route(app, {
    method: 'POST',
    url: '/api-keys/:id/rotate',
    access: { self: 'caller', others: 'api_keys:write', stepUp: true },
    schema: {
      summary: 'Make the successor of a key; the old one works on for a while',
      tags: ['access'],
      params: one,
      body: rotation.optional(),
      response: { 201: issuedKey },
    },
    handle: async (request, reply) => {
      const issued = await rotateApiKey(database, request.actor, request.params.id, given(request.body ?? {}))
      return reply.code(201).header('cache-control', 'no-store').send(issued)
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/api-keys/:id',
    access: { self: 'caller', others: 'api_keys:delete' },
    schema: {
      summary: 'End a key at once',
      tags: ['access'],
      params: one,
      querystring: z.strictObject({ reason: z.string().max(1_000).optional() }),
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const revoked = await revokeApiKey(database, request.actor, request.params.id, request.query.reason)
      if (!revoked) throw new AkashiError('not_found', 'the key had ended before')
      return reply.code(204).send()
    },
  })
}
