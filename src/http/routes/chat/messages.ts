import { z } from 'zod'
import * as chat from '../../../chat/index.ts'
import { route } from '../../route.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

const tags = ['chat']
const byRoom = z.strictObject({ roomId: z.guid() })
const byMessage = z.strictObject({ messageId: z.guid() })
const nothing = z.null()
const history = z.object({
  messages: z.array(chat.messageShape),
  hasOlder: z.boolean(),
  hasNewer: z.boolean(),
})

const historyQuery = z
  .strictObject({
    before: z.guid().optional().describe('messages older than this one'),
    after: z.guid().optional().describe('messages newer than this one'),
    around: z.guid().optional().describe('this message with its neighbours'),
    limit: z.coerce.number().int().min(1).max(chat.MAX_PAGE).default(chat.DEFAULT_PAGE),
  })
  .refine(
    ({ before, after, around }) => [before, after, around].filter((edge) => edge !== undefined).length <= 1,
    {
      error: 'takes one of before, after and around',
    },
  )

/** Messages, what hangs on them, and what happened while somebody was away. */
export function messageRoutes(app: App, { app: database, chat: { bus, feed } }: Services): void {
  route(app, {
    method: 'GET',
    url: '/rooms/:roomId/messages',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'History of a room, oldest first',
      tags,
      params: byRoom,
      querystring: historyQuery,
      response: { 200: history },
    },
    handle: async (request) => {
      const { before, after, around, limit } = request.query
      const page = await chat.readHistory(database, request.actor, request.params.roomId, {
        limit,
        ...(before === undefined ? {} : { before }),
        ...(after === undefined ? {} : { after }),
        ...(around === undefined ? {} : { around }),
      })
      return { ...page, messages: [...page.messages] }
    },
  })
  route(app, {
    method: 'POST',
    url: '/rooms/:roomId/messages',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Send a message; again with the same clientId it is the same message',
      tags,
      params: byRoom,
      body: chat.newMessage,
      response: { 201: chat.messageShape },
    },
    handle: async (request, reply) => {
      const message = await chat.postMessage(database, request.actor, request.params.roomId, request.body)
      feed.announce(message)
      return reply.status(201).send(message)
    },
  })
  route(app, {
    method: 'GET',
    url: '/rooms/:roomId/events',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'What happened in a room after a sequence number',
      tags,
      params: byRoom,
      querystring: z.strictObject({ after: z.coerce.number().int().min(0) }),
      response: {
        200: z.object({ events: z.array(chat.eventShape), lastSequence: z.int(), gap: z.boolean() }),
      },
    },
    handle: async (request) => {
      const missed = await chat.eventsAfter(
        database,
        request.actor,
        request.params.roomId,
        request.query.after,
      )
      return { ...missed, events: [...missed.events] }
    },
  })
  route(app, {
    method: 'GET',
    url: '/messages/:messageId',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'One message',
      tags,
      params: byMessage,
      response: { 200: chat.messageShape },
    },
    handle: async (request) => await chat.readMessage(database, request.actor, request.params.messageId),
  })
  route(app, {
    method: 'PATCH',
    url: '/messages/:messageId',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Edit my message',
      tags,
      params: byMessage,
      body: chat.messageChange,
      response: { 200: chat.messageShape },
    },
    handle: async (request) => {
      const message = await chat.editMessage(database, request.actor, request.params.messageId, request.body)
      bus.announce({ about: 'room', roomId: message.roomId })
      return message
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/messages/:messageId',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Delete a message',
      tags,
      params: byMessage,
      response: { 204: nothing },
    },
    handle: async (request, reply) => {
      const roomId = await chat.deleteMessage(database, request.actor, request.params.messageId)
      bus.announce({ about: 'room', roomId })
      return reply.status(204).send(null)
    },
  })
  route(app, {
    method: 'GET',
    url: '/messages/:messageId/edits',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'What a message said before',
      tags,
      params: byMessage,
      response: {
        200: z.object({ edits: z.array(z.object({ previousContent: z.string(), editedAt: z.string() })) }),
      },
    },
    handle: async (request) => ({
      edits: [...(await chat.listEdits(database, request.actor, request.params.messageId))],
    }),
  })
  for (const [method, summary, wanted] of [
    ['PUT', 'React to a message', true],
    ['DELETE', 'Take a reaction back', false],
  ] as const) {
    route(app, {
      method,
      url: '/messages/:messageId/reactions/:emoji',
      access: { signedIn: 'person', scope: 'any' },
      schema: {
        summary,
        tags,
        params: byMessage.extend({ emoji: chat.emojiShape }),
        response: { 204: nothing },
      },
      handle: async (request, reply) => {
        const roomId = await chat.setReaction(
          database,
          request.actor,
          request.params.messageId,
          request.params.emoji,
          wanted,
        )
        bus.announce({ about: 'room', roomId })
        return reply.status(204).send(null)
      },
    })
  }
  route(app, {
    method: 'POST',
    url: '/messages/:messageId/read',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'I have read up to this message',
      tags,
      params: byMessage,
      response: { 204: nothing },
    },
    handle: async (request, reply) => {
      await chat.markRead(database, request.actor, request.params.messageId)
      return reply.status(204).send(null)
    },
  })
}
