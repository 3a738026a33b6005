import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { createApiKey, listApiKeys, revokeApiKey, rotateApiKey } from '../../identity/index.ts'
import { apiKeys, issuedKey, newApiKey, rotation } from '../contract/access.ts'
import { requireStepUp } from '../plugins/authentication.ts'
import { orRecordDenial } from '../plugins/authorization.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'
import { refusals } from './refusals.ts'

const one = z.strictObject({ id: z.guid() })

/** Keys of programs: one's own, and by permission those of service accounts. A key is answered once. */
export function apiKeyRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  const dangerous = { preHandler: requireStepUp(identity) }
  app.get(
    '/api-keys',
    {
      schema: {
        summary: 'One’s own keys; with api_keys:read everybody’s',
        tags: ['access'],
        response: { 200: apiKeys, ...refusals },
      },
    },
    async (request) => ({ keys: await listApiKeys(database, request.actor) }),
  )
  app.post(
    '/api-keys',
    {
      ...dangerous,
      schema: {
        summary: 'Make a key for oneself or for a service account',
        tags: ['access'],
        body: newApiKey,
        response: { 201: issuedKey, ...refusals },
      },
    },
    async (request, reply) => {
      const issued = await orRecordDenial(database, request, 'api_keys:write', () =>
        createApiKey(database, request.actor, given(request.body)),
      )
      return reply.code(201).header('cache-control', 'no-store').send(issued)
    },
  )
  app.post(
    '/api-keys/:id/rotate',
    {
      ...dangerous,
      schema: {
        summary: 'Make the successor of a key; the old one works on for a while',
        tags: ['access'],
        params: one,
        body: rotation.optional(),
        response: { 201: issuedKey, ...refusals },
      },
    },
    async (request, reply) => {
      const issued = await orRecordDenial(database, request, 'api_keys:write', () =>
        rotateApiKey(database, request.actor, request.params.id, given(request.body ?? {})),
      )
      return reply.code(201).header('cache-control', 'no-store').send(issued)
    },
  )
  app.delete(
    '/api-keys/:id',
    {
      schema: {
        summary: 'End a key at once',
        tags: ['access'],
        params: one,
        querystring: z.strictObject({ reason: z.string().max(1_000).optional() }),
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      const revoked = await orRecordDenial(database, request, 'api_keys:delete', () =>
        revokeApiKey(database, request.actor, request.params.id, request.query.reason),
      )
      if (!revoked) throw new AkashiError('not_found', 'the key had ended before')
      return reply.code(204).send()
    },
  )
}
