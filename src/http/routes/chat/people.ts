import { z } from 'zod'
import * as chat from '../../../chat/index.ts'
import { sessionOf } from '../../plugins/authentication.ts'
import { route } from '../../route.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

const tags = ['chat']
const nothing = z.null()
const pageSize = z.coerce.number().int().min(1).max(chat.MAX_PAGE).default(chat.DEFAULT_PAGE)

/** People, and what one person is told and prefers. */
export function peopleRoutes(app: App, { app: database, chat: { bus } }: Services): void {
  route(app, {
    method: 'GET',
    url: '/people',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'People by name',
      tags,
      querystring: z.strictObject({
        q: z.string().max(100).default(''),
        roomId: z.guid().optional(),
        limit: pageSize,
      }),
      response: { 200: z.object({ people: z.array(chat.personShape) }) },
    },
    handle: async (request) => {
      const { q, roomId, limit } = request.query
      const people = await chat.findPeople(database, request.actor, {
        matching: q,
        limit,
        ...(roomId === undefined ? {} : { roomId }),
      })
      return { people: [...people] }
    },
  })
  route(app, {
    method: 'GET',
    url: '/presence',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Presence of people who share a room with me',
      tags,
      querystring: z.strictObject({
        userId: z.preprocess(
          (value) => (Array.isArray(value) ? value : [value]),
          z.array(z.guid()).max(chat.MAX_PAGE),
        ),
      }),
      response: {
        200: z.object({
          presence: z.array(z.object({ userId: z.guid(), status: z.enum(chat.presenceStatuses) })),
          activeUsers: z.int().describe('people active in the last 30 minutes'),
        }),
      },
    },
    handle: async (request) => ({
      presence: [...(await chat.presenceOf(database, request.actor, request.query.userId))],
      activeUsers: await chat.activeUserCount(database, request.actor),
    }),
  })
  route(app, {
    method: 'POST',
    url: '/presence',
    access: { signedIn: 'person', scope: 'none' },
    schema: {
      summary: 'Say how present I am at this session',
      tags,
      body: z.strictObject({ status: z.enum(chat.presenceStatuses) }),
      response: { 204: nothing },
    },
    handle: async (request, reply) => {
      const { actor } = sessionOf(request)
      if (await chat.setPresence(database, actor, request.body.status))
        bus.announce({ about: 'presence', userId: actor.userId })
      return reply.status(204).send(null)
    },
  })
  route(app, {
    method: 'GET',
    url: '/notifications',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'What I was told, newest first',
      tags,
      querystring: z.strictObject({ cursor: z.iso.datetime().optional(), limit: pageSize }),
      response: {
        200: z.object({
          notifications: z.array(chat.notificationShape),
          unread: z.int(),
          next: z.string().nullable(),
        }),
      },
    },
    handle: async (request) => {
      const { cursor, limit } = request.query
      const page = await chat.listNotifications(database, request.actor, {
        limit,
        ...(cursor === undefined ? {} : { before: cursor }),
      })
      return { ...page, notifications: [...page.notifications] }
    },
  })
  route(app, {
    method: 'POST',
    url: '/notifications/read',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Mark notifications as read: those named, or all',
      tags,
      body: z.strictObject({ ids: z.array(z.guid()).max(chat.MAX_PAGE).optional() }),
      response: { 200: z.object({ read: z.int() }) },
    },
    handle: async (request) => ({
      read: await chat.readNotifications(database, request.actor, request.body.ids),
    }),
  })
  route(app, {
    method: 'GET',
    url: '/preferences',
    access: { signedIn: 'person', scope: 'any' },
    schema: { summary: 'My preferences', tags, response: { 200: chat.preferencesShape } },
    handle: async (request) => await chat.setPreferences(database, request.actor),
  })
  route(app, {
    method: 'PATCH',
    url: '/preferences',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Change my preferences',
      tags,
      body: chat.preferenceChanges,
      response: { 200: chat.preferencesShape },
    },
    handle: async (request) => await chat.setPreferences(database, request.actor, request.body),
  })
}
