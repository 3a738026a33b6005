import * as chat from '../../../chat/index.ts'
import { given } from '../../../foundation/index.ts'
import { operation } from '../../operation.ts'
import { sessionOf } from '../../plugins/authentication.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'
import { notifyOwnDevices } from './own-devices.ts'

/** People, presence, notifications and preferences. */
export function peopleRoutes(
  app: App,
  { app: database, chat: { bus }, roomSecrets: secrets }: Services,
): void {
  operation(app, 'GET /v1/chat/people', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, query: { q, ...rest } }) => ({
      people: await chat.findPeople(database, actor, { matching: q, ...given(rest) }),
    }),
  })
  operation(app, 'GET /v1/chat/presence', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async (request) => ({
      presence: await chat.presenceOf(database, request.actor, request.query.userId),
      activeUsers: await chat.activeUserCount(database, request.actor),
    }),
  })
  operation(app, 'POST /v1/chat/presence', {
    access: { permission: 'rooms:read', by: 'session' },
    handle: async (request) => {
      const { actor } = sessionOf(request)
      if (await chat.setPresence(database, actor, request.body.status))
        bus.announce({ about: 'presence', userId: actor.userId })
    },
  })
  operation(app, 'GET /v1/chat/notifications', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, query: { cursor, limit } }) => {
      const page = await chat.listNotifications(database, actor, { limit, ...given({ before: cursor }) })
      return await secrets.notifications(actor, page)
    },
  })
  operation(app, 'POST /v1/chat/notifications/read', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, body }) => {
      const read = await chat.readNotifications(database, actor, body.ids)
      if (read > 0) notifyOwnDevices(bus, actor)
      return { read }
    },
  })
  operation(app, 'GET /v1/chat/preferences', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: ({ actor }) => chat.setPreferences(database, actor),
  })
  operation(app, 'PATCH /v1/chat/preferences', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: ({ actor, body }) => chat.setPreferences(database, actor, body),
  })
}
