import { z } from 'zod'
import { listSessions, revokeSession, revokeSessions } from '../../identity/index.ts'
import { ownSessions } from '../contract/me.ts'
import { sessionOf } from '../plugins/authentication.ts'
import { route } from '../route.ts'
import { type App, noContent } from '../schema.ts'
import type { Services } from '../services.ts'

/** Where one is signed in (ASVS 5.0 7.5.2). */
export function mySessionRoutes(app: App, { identity: { login } }: Services): void {
  route(app, {
    method: 'GET',
    url: '/me/sessions',
    access: { self: 'person', scope: 'none' },
    schema: {
      summary: 'One’s living sessions, the one used last first',
      tags: ['me'],
      response: { 200: ownSessions },
    },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      const sessions = await login.app.transaction(actor, (found) => listSessions(found, actor.userId))
      return { sessions: sessions.map((each) => ({ ...each, current: each.id === actor.sessionId })) }
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/me/sessions',
    access: { self: 'person', scope: 'none' },
    schema: {
      summary: 'End every session but this one',
      tags: ['me'],
      response: { 200: z.object({ ended: z.int() }) },
    },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      const ended = await login.accounts.transaction(actor, (found) =>
        revokeSessions(found, actor.userId, actor.sessionId),
      )
      return { ended }
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/me/sessions/:id',
    access: { self: 'person', scope: 'none' },
    schema: {
      summary: 'End one session',
      tags: ['me'],
      params: z.strictObject({ id: z.guid() }),
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const { actor } = sessionOf(request)
      await login.app.transaction(actor, (found) => revokeSession(found, actor.userId, request.params.id))
      return reply.code(204).send()
    },
  })
}
