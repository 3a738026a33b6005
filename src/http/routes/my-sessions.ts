import { listSessions, revokeSession, revokeSessions } from '../../identity/index.ts'
import { operation } from '../operation.ts'
import { sessionOf } from '../plugins/authentication.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** The caller's own sessions (ASVS 5.0 7.5.2). */
export function mySessionRoutes(app: App, { identity: { login } }: Services): void {
  operation(app, 'GET /v1/me/sessions', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      const sessions = await login.app.transaction(actor, (found) => listSessions(found, actor.userId))
      return { sessions: sessions.map((each) => ({ ...each, current: each.id === actor.sessionId })) }
    },
  })
  operation(app, 'DELETE /v1/me/sessions', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      const ended = await login.worker.transaction(actor, (found) =>
        revokeSessions(found, actor.userId, actor.sessionId),
      )
      return { ended }
    },
  })
  operation(app, 'DELETE /v1/me/sessions/{id}', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      await login.app.transaction(actor, (found) => revokeSession(found, actor.userId, request.params.id))
    },
  })
}
