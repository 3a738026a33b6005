import * as chat from '../../../chat/index.ts'
import { given } from '../../../foundation/index.ts'
import { operation } from '../../operation.ts'
import { callerSignal } from '../../plugins/caller-signal.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'
import { notifyOwnDevices } from './own-devices.ts'

/** Messages with edits, reactions and read marks, and the events of a room since a sequence. */
export function messageRoutes(
  app: App,
  { app: database, chat: { bus, feed }, roomSecrets: secrets }: Services,
): void {
  operation(app, 'GET /v1/chat/rooms/{roomId}/messages', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params, query }) =>
      secrets.history(actor, await chat.readHistory(database, actor, params.roomId, given(query))),
  })
  operation(app, 'POST /v1/chat/rooms/{roomId}/messages', {
    access: { permission: 'rooms:write', by: 'person' },
    budget: { requests: 600, seconds: 60 },
    handle: async (request) => {
      const message = await secrets.post(request.actor, request.params.roomId, request.body)
      feed.announce(message)
      return message
    },
  })
  operation(app, 'GET /v1/chat/rooms/{roomId}/events', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params, query }) =>
      secrets.events(actor, await chat.eventsAfter(database, actor, params.roomId, query.after)),
  })
  operation(app, 'GET /v1/chat/messages/{messageId}', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params }) =>
      secrets.message(actor, await chat.readMessage(database, actor, params.messageId)),
  })
  operation(app, 'PATCH /v1/chat/messages/{messageId}', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: async (request) => {
      const message = await secrets.edit(request.actor, request.params.messageId, request.body)
      bus.announce({ about: 'room', roomId: message.roomId })
      return message
    },
  })
  operation(app, 'DELETE /v1/chat/messages/{messageId}', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: async (request) => {
      const roomId = await chat.deleteMessage(database, request.actor, request.params.messageId)
      bus.announce({ about: 'room', roomId })
    },
  })
  operation(app, 'GET /v1/chat/messages/{messageId}/edits', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params }) => ({ edits: await secrets.edits(actor, params.messageId) }),
  })
  operation(app, 'PUT /v1/chat/messages/{messageId}/classification', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: ({ actor, params, body }) =>
      chat.classifyMessage(database, actor, params.messageId, body.classification),
  })
  for (const [method, wanted] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const) {
    operation(app, `${method} /v1/chat/messages/{messageId}/reactions/{emoji}`, {
      access: { permission: 'rooms:write', by: 'person' },
      handle: async ({ actor, params: { messageId, emoji } }) => {
        const roomId = await chat.setReaction(database, actor, messageId, emoji, wanted)
        bus.announce({ about: 'room', roomId })
      },
    })
  }
  operation(app, 'POST /v1/chat/messages/{messageId}/read', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params }) => {
      await chat.markRead(database, actor, params.messageId)
      notifyOwnDevices(bus, actor)
    },
  })
  operation(app, 'POST /v1/chat/messages/{messageId}/unread', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params }) => {
      await chat.markUnread(database, actor, params.messageId)
      notifyOwnDevices(bus, actor)
    },
  })
  operation(app, 'GET /v1/chat/messages/{messageId}/thread', {
    access: { permission: 'rooms:read', by: 'person' },
    budget: { requests: 120, seconds: 60 },
    handle: async ({ actor, params }) => ({
      messages: await secrets.messages(actor, await chat.readThread(database, actor, params.messageId)),
    }),
  })
  operation(app, 'GET /v1/chat/search', {
    access: { permission: 'rooms:read', by: 'person' },
    budget: { requests: 120, seconds: 60 },
    handle: ({ actor, query }, reply) => chat.searchMessages(database, actor, query, callerSignal(reply)),
  })
}
