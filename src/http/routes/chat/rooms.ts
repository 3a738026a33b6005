import * as chat from '../../../chat/index.ts'
import { operation } from '../../operation.ts'
import { userOf } from '../../plugins/authentication.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

/** Rooms: the caller's, the directory of public rooms, and operations of members. */
export function roomRoutes(
  app: App,
  { app: database, chat: { bus, feed }, roomSecrets: secrets }: Services,
): void {
  operation(app, 'GET /v1/chat/rooms', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor }) => ({
      rooms: await secrets.rooms(actor, await chat.listRooms(database, actor)),
    }),
  })
  operation(app, 'POST /v1/chat/rooms', {
    access: { permission: 'rooms:write', by: 'person' },
    budget: { requests: 30, seconds: 60 },
    handle: ({ actor, body }) => secrets.createRoom(actor, body),
  })
  operation(app, 'GET /v1/chat/directory', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: ({ actor, query: { q, ...page } }) => chat.publicRooms(database, actor, { matching: q, ...page }),
  })
  operation(app, 'POST /v1/chat/direct', {
    access: { permission: 'rooms:write', by: 'person' },
    budget: { requests: 60, seconds: 60 },
    handle: async (request) => {
      const room = await chat.openDirectRoom(database, request.actor, request.body.userId)
      bus.announce({ about: 'person', userId: request.body.userId })
      return room
    },
  })
  operation(app, 'POST /v1/chat/groups', {
    access: { permission: 'rooms:write', by: 'person' },
    budget: { requests: 30, seconds: 600 },
    handle: async (request) => {
      const room = await chat.openGroup(database, request.actor, request.body.userIds)
      for (const userId of request.body.userIds) bus.announce({ about: 'person', userId })
      return room
    },
  })
  operation(app, 'GET /v1/chat/rooms/{roomId}', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params }) => {
      const room = await chat.readRoom(database, actor, params.roomId)
      return (await secrets.rooms(actor, [room]))[0] ?? room
    },
  })
  operation(app, 'PATCH /v1/chat/rooms/{roomId}', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: async (request) => {
      const room = await chat.updateRoom(database, request.actor, request.params.roomId, request.body)
      bus.announce({ about: 'room', roomId: room.id })
      return (await secrets.rooms(request.actor, [room]))[0] ?? room
    },
  })
  operation(app, 'DELETE /v1/chat/rooms/{roomId}', {
    access: { permission: 'rooms:write', by: 'person', stepUp: true },
    handle: async (request) => {
      await secrets.deleteRoom(request.actor, request.params.roomId)
      bus.announce({ about: 'room', roomId: request.params.roomId })
    },
  })
  for (const [step, act] of [
    ['join', chat.joinRoom],
    ['leave', chat.leaveRoom],
  ] as const) {
    operation(app, `POST /v1/chat/rooms/{roomId}/${step}`, {
      access: { permission: 'rooms:read', by: 'person' },
      handle: async ({ actor, params: { roomId } }) => {
        await act(database, actor, roomId)
        bus.announce({ about: 'room', roomId })
      },
    })
  }
  operation(app, 'POST /v1/chat/rooms/{roomId}/typing', {
    access: { permission: 'rooms:write', by: 'person' },
    budget: { requests: 120, seconds: 60 },
    handle: async (request) => {
      const { roomId } = request.params
      await chat.requireMember(database, request.actor, roomId)
      feed.typing(roomId, userOf(request).userId)
    },
  })
  operation(app, 'PUT /v1/chat/rooms/{roomId}/notification-level', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: ({ actor, params, body }) =>
      chat.setNotificationLevel(database, actor, params.roomId, body.level),
  })
}
