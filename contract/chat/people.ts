/** People, their presence, and what one person is notified of and prefers. */
import { z } from 'zod'
import { id, list, next, pageSize, time } from '../fields.ts'
import { MAX_PAGE_SIZE } from '../limits.ts'
import type { OperationTable } from '../operation.ts'
import { presenceStatuses } from '../vocabulary.ts'

export const person = z.object({
  id,
  username: z.string(),
  displayName: z.string(),
  avatarUrl: z.string().nullable(),
})
export type Person = z.output<typeof person>

const presence = z.object({ userId: id, status: z.enum(presenceStatuses) })
export type Presence = z.output<typeof presence>

const notification = z.object({
  id,
  type: z.enum(['mention', 'reply', 'message', 'invitation']),
  room: z.object({ id, name: z.string(), type: z.string(), isEncrypted: z.boolean() }),
  messageId: id.nullable(),
  actor: person.nullable(),
  preview: z.string().nullable().describe('the first characters of the message'),
  readAt: time.nullable(),
  createdAt: time,
})
export type Notification = z.output<typeof notification>

const notificationPage = z.object({ notifications: list(notification), unread: z.int(), next })
export type NotificationPage = z.output<typeof notificationPage>

const preferences = z.object({
  locale: z.enum(['ja', 'en']).nullable().describe('null: not chosen, so that each device uses its own'),
  timeZone: z.string().max(64),
  theme: z.enum(['auto', 'light', 'dark']),
  showPresence: z.boolean(),
  directMessages: z.enum(['everyone', 'shared_rooms', 'nobody']),
  notifyMentions: z.boolean(),
  notifyReplies: z.boolean(),
  notifyInvitations: z.boolean(),
})
export type Preferences = z.output<typeof preferences>

export const preferenceChanges = preferences.partial()
export type PreferenceChanges = z.input<typeof preferenceChanges>

/** One value of a query that may be repeated is a string. */
const userIds = z.preprocess(
  (value: string | readonly string[]) => [value].flat(),
  z.array(id).max(MAX_PAGE_SIZE),
)

export const peopleOperations = {
  'GET /v1/chat/people': {
    summary: 'People by name',
    query: z.strictObject({
      q: z.string().max(100).default(''),
      roomId: id.optional(),
      limit: pageSize,
    }),
    response: z.object({ people: list(person) }),
  },
  'GET /v1/chat/presence': {
    summary: 'Presence of people who share a room with the caller',
    query: z.strictObject({ userId: userIds }),
    response: z.object({
      presence: list(presence),
      activeUsers: z.int().describe('people active in the last 30 minutes'),
    }),
  },
  'POST /v1/chat/presence': {
    summary: 'Set your presence in this session',
    body: z.strictObject({ status: z.enum(presenceStatuses) }),
  },
  'GET /v1/chat/notifications': {
    summary: 'Your notifications, newest first',
    query: z.strictObject({ cursor: z.iso.datetime().optional(), limit: pageSize }),
    response: notificationPage,
  },
  'POST /v1/chat/notifications/read': {
    summary: 'Mark notifications as read: the given ones, or all',
    body: z.strictObject({ ids: z.array(id).max(MAX_PAGE_SIZE).optional() }),
    response: z.object({ read: z.int() }),
  },
  'GET /v1/chat/preferences': { summary: 'Your preferences', response: preferences },
  'PATCH /v1/chat/preferences': {
    summary: 'Change your preferences',
    body: preferenceChanges,
    response: preferences,
  },
} as const satisfies OperationTable
