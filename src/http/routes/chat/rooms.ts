import { z } from 'zod'
import * as chat from '../../../chat/index.ts'
import { jsonOrNull } from '../../../foundation/index.ts'
import { userOf } from '../../plugins/authentication.ts'
import { route } from '../../route.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

const tags = ['chat']
const byRoom = z.strictObject({ roomId: z.guid() })
const nothing = z.null()
const pageSize = z.coerce.number().int().min(1).max(chat.MAX_PAGE).default(chat.DEFAULT_PAGE)

/** A cursor is opaque to its holder: base64url of the name and id of the last room. */
const cursor = z
  .string()
  .max(1_000)
  .transform((text, context) => {
    const place = z
      .tuple([z.string(), z.guid()])
      .safeParse(jsonOrNull(Buffer.from(text, 'base64url').toString()))
    if (place.success) return { name: place.data[0], id: place.data[1] }
    context.addIssue('is no cursor of this list')
    return z.NEVER
  })

/** Rooms: the caller's own, the directory of public ones, and what a member may do with one. */
export function roomRoutes(app: App, { app: database, chat: { bus, feed } }: Services): void {
  route(app, {
    method: 'GET',
    url: '/rooms',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'My rooms, the newest message first',
      tags,
      response: { 200: z.object({ rooms: z.array(chat.roomShape) }) },
    },
    handle: async (request) => ({ rooms: [...(await chat.listRooms(database, request.actor))] }),
  })
  route(app, {
    method: 'POST',
    url: '/rooms',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Create a room',
      tags,
      body: chat.newRoom,
      response: { 201: chat.roomShape },
    },
    handle: async (request, reply) =>
      reply.status(201).send(await chat.createRoom(database, request.actor, request.body)),
  })
  route(app, {
    method: 'GET',
    url: '/directory',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Public rooms by name',
      tags,
      querystring: z.strictObject({
        q: z.string().max(100).default(''),
        cursor: cursor.optional(),
        limit: pageSize,
      }),
      response: {
        200: z.object({ rooms: z.array(chat.directoryShape), next: z.string().nullable() }),
      },
    },
    handle: async (request) => {
      const { q, cursor: after, limit } = request.query
      const { rooms, next } = await chat.publicRooms(database, request.actor, {
        matching: q,
        limit,
        ...(after && { after }),
      })
      return {
        rooms: [...rooms],
        next: next === null ? null : Buffer.from(JSON.stringify([next.name, next.id])).toString('base64url'),
      }
    },
  })
  route(app, {
    method: 'POST',
    url: '/direct',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'The direct room with somebody',
      tags,
      body: z.strictObject({ userId: z.guid() }),
      response: { 200: chat.roomShape },
    },
    handle: async (request) => {
      const room = await chat.openDirectRoom(database, request.actor, request.body.userId)
      bus.announce({ about: 'person', userId: request.body.userId })
      return room
    },
  })
  route(app, {
    method: 'GET',
    url: '/rooms/:roomId',
    access: { signedIn: 'person', scope: 'any' },
    schema: { summary: 'One room', tags, params: byRoom, response: { 200: chat.roomShape } },
    handle: async (request) => await chat.readRoom(database, request.actor, request.params.roomId),
  })
  route(app, {
    method: 'PATCH',
    url: '/rooms/:roomId',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Change a room',
      tags,
      params: byRoom,
      body: chat.roomChanges,
      response: { 200: chat.roomShape },
    },
    handle: async (request) => {
      const room = await chat.updateRoom(database, request.actor, request.params.roomId, request.body)
      bus.announce({ about: 'room', roomId: room.id })
      return room
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/rooms/:roomId',
    access: { signedIn: 'person', scope: 'any' },
    schema: { summary: 'Delete a room', tags, params: byRoom, response: { 204: nothing } },
    handle: async (request, reply) => {
      await chat.deleteRoom(database, request.actor, request.params.roomId)
      bus.announce({ about: 'room', roomId: request.params.roomId })
      return reply.status(204).send(null)
    },
  })
  for (const [path, summary, act] of [
    ['join', 'Join a public room', chat.joinRoom],
    ['leave', 'Leave a room', chat.leaveRoom],
  ] as const) {
    route(app, {
      method: 'POST',
      url: `/rooms/:roomId/${path}`,
      access: { signedIn: 'person', scope: 'any' },
      schema: { summary, tags, params: byRoom, response: { 204: nothing } },
      handle: async (request, reply) => {
        await act(database, request.actor, request.params.roomId)
        bus.announce({ about: 'room', roomId: request.params.roomId })
        return reply.status(204).send(null)
      },
    })
  }
  route(app, {
    method: 'POST',
    url: '/rooms/:roomId/typing',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Say that I am writing, to those who listen to the room',
      tags,
      params: byRoom,
      response: { 204: nothing },
    },
    handle: async (request, reply) => {
      const { roomId } = request.params
      await chat.requireMember(database, request.actor, roomId)
      feed.typing(roomId, userOf(request).userId)
      return reply.status(204).send(null)
    },
  })
  route(app, {
    method: 'PUT',
    url: '/rooms/:roomId/notification-level',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'What of this room notifies me',
      tags,
      params: byRoom,
      body: z.strictObject({ level: z.enum(chat.notificationLevels) }),
      response: { 204: nothing },
    },
    handle: async (request, reply) => {
      await chat.setNotificationLevel(database, request.actor, request.params.roomId, request.body.level)
      return reply.status(204).send(null)
    },
  })
}
