/** Messages of a room, in its order, and its events: whatever happened in it, numbered without gaps by `sequence`. */
import { z } from 'zod'
import { classification, cursor, id, list, newClassification, next, pageSize, text, time } from '../fields.ts'
import {
  DEFAULT_SEARCH_PAGE_SIZE,
  MAX_EMOJI_LENGTH,
  MAX_MESSAGE_CHARACTERS,
  MAX_ROOM_MEMBERS,
  MAX_SEARCH_LENGTH,
  MAX_SEARCH_PAGE_SIZE,
  MAX_THREAD_MESSAGES,
} from '../limits.ts'
import type { OperationTable } from '../operation.ts'
import { chatFile } from './files.ts'
import { person } from './people.ts'

const message = z.object({
  id,
  roomId: id,
  sequence: z.int().describe('place in the order of the room'),
  type: z.enum(['text', 'image', 'file', 'system']),
  content: z.string().describe('empty once deleted, and where it is unreadable'),
  author: person.nullable().describe('null: erased'),
  replyTo: z
    .object({ id, author: person.nullable(), content: z.string(), type: z.string(), isDeleted: z.boolean() })
    .nullable(),
  mentions: list(id),
  reactions: list(z.object({ emoji: z.string(), userIds: list(id) })),
  file: chatFile.nullable(),
  clientId: id.nullable(),
  classification,
  isEdited: z.boolean(),
  isDeleted: z.boolean(),
  isEncrypted: z.boolean().describe('stored as ciphertext under the key of its room'),
  unreadable: z
    .enum(['erased', 'damaged'])
    .nullable()
    .describe('of an encrypted message: the key was destroyed, or the ciphertext was changed or moved'),
  createdAt: time,
  updatedAt: time,
})
export type Message = z.output<typeof message>

const eventTypes = [
  'message_created',
  'message_edited',
  'message_deleted',
  'reaction_added',
  'reaction_removed',
  'member_joined',
  'member_left',
  'member_changed',
  'room_changed',
  'room_deleted',
] as const

const roomEvent = z.object({
  roomId: id,
  sequence: z.int(),
  type: z.enum(eventTypes),
  messageId: id.nullable(),
  userId: id.nullable().describe('the person it is about'),
  detail: z.record(z.string(), z.unknown()),
  createdAt: time,
  message: message.nullable().describe('the current message, for events about a message'),
})
export type RoomEvent = z.output<typeof roomEvent>

const missedEvents = z.object({
  events: list(roomEvent).describe('in order of sequence, without a gap'),
  lastSequence: z.int().describe('of the room, now'),
  gap: z.boolean().describe('some missed events are no longer available: reload the history instead'),
})
export type MissedEvents = z.output<typeof missedEvents>

export const newMessage = z.strictObject({
  content: text(MAX_MESSAGE_CHARACTERS, 0),
  fileId: id.optional(),
  replyToId: id.optional(),
  mentions: z.array(id).max(MAX_ROOM_MEMBERS).default([]),
  clientId: id
    .optional()
    .describe('idempotency key: sending again with the same key returns the same message'),
})
export type NewMessage = z.input<typeof newMessage>

export const messageChange = z.strictObject({
  content: text(MAX_MESSAGE_CHARACTERS),
  mentions: z.array(id).max(MAX_ROOM_MEMBERS).default([]),
})
export type MessageChange = z.input<typeof messageChange>

const history = z.object({
  messages: list(message),
  hasOlder: z.boolean(),
  hasNewer: z.boolean(),
})
export type HistoryPage = z.output<typeof history>

const messages = z.object({ messages: list(message) })

const historyQuery = z
  .strictObject({
    before: id.optional().describe('messages older than this one'),
    after: id.optional().describe('messages newer than this one'),
    around: id.optional().describe('this message and those around it'),
    limit: pageSize,
  })
  .refine(
    ({ before, after, around }) => [before, after, around].filter((edge) => edge !== undefined).length <= 1,
    { error: 'accepts only one of before, after and around' },
  )

const searchQuery = z.strictObject({
  q: z.string().trim().min(1, 'is empty').max(MAX_SEARCH_LENGTH),
  roomId: id.optional(),
  senderId: id.optional(),
  from: z.iso.datetime({ offset: true }).optional().describe('sent at or after'),
  to: z.iso.datetime({ offset: true }).optional().describe('sent before'),
  hasFile: z.stringbool().optional(),
  before: id.optional().describe('the last message of the page before'),
  limit: z.coerce.number<number>().int().min(1).max(MAX_SEARCH_PAGE_SIZE).default(DEFAULT_SEARCH_PAGE_SIZE),
})
export type MessageSearch = z.output<typeof searchQuery>

const searchPage = z.object({
  messages: list(message),
  encryptedRooms: z.int().describe('rooms of the caller that were not searched because they are encrypted'),
  next: id.nullable().describe('before of the next page; null when this is the last'),
})
export type SearchPage = z.output<typeof searchPage>

const byRoom = z.strictObject({ roomId: id })
const byMessage = z.strictObject({ messageId: id })
const byReaction = byMessage.extend({ emoji: text(MAX_EMOJI_LENGTH) })

export const messageOperations = {
  'GET /v1/chat/rooms/{roomId}/messages': {
    summary: 'History of a room, oldest first',
    params: byRoom,
    query: historyQuery,
    response: history,
  },
  'POST /v1/chat/rooms/{roomId}/messages': {
    summary: 'Send a message; sending it again with the same clientId returns the same message',
    params: byRoom,
    body: newMessage,
    response: message,
    status: 201,
  },
  'GET /v1/chat/rooms/{roomId}/events': {
    summary: 'Events of a room after a sequence number',
    params: byRoom,
    query: z.strictObject({ after: z.coerce.number<number>().int().min(0) }),
    response: missedEvents,
  },
  'GET /v1/chat/messages/{messageId}': { summary: 'One message', params: byMessage, response: message },
  'PATCH /v1/chat/messages/{messageId}': {
    summary: 'Edit your own message',
    params: byMessage,
    body: messageChange,
    response: message,
  },
  'DELETE /v1/chat/messages/{messageId}': { summary: 'Delete a message', params: byMessage },
  'GET /v1/chat/messages/{messageId}/edits': {
    summary: 'Previous versions of a message',
    params: byMessage,
    response: z.object({ edits: list(z.object({ previousContent: z.string(), editedAt: time })) }),
  },
  'PUT /v1/chat/messages/{messageId}/classification': {
    summary:
      'Classify a message: its author may raise the classification, an owner or admin of the room may set any',
    params: byMessage,
    body: newClassification,
  },
  'PUT /v1/chat/messages/{messageId}/reactions/{emoji}': {
    summary: 'Add a reaction to a message',
    params: byReaction,
  },
  'DELETE /v1/chat/messages/{messageId}/reactions/{emoji}': {
    summary: 'Remove your own reaction',
    params: byReaction,
  },
  'POST /v1/chat/messages/{messageId}/read': {
    summary: 'Mark a room as read up to this message',
    params: byMessage,
  },
  'POST /v1/chat/messages/{messageId}/unread': {
    summary: 'Mark a room as unread from this message on',
    params: byMessage,
  },
  'GET /v1/chat/messages/{messageId}/thread': {
    summary: `The conversation of a message: its first message and all replies below it, oldest first; at most ${MAX_THREAD_MESSAGES}`,
    params: byMessage,
    response: messages,
  },
  'GET /v1/chat/rooms/{roomId}/pins': {
    summary: 'Pinned messages of a room, the newest pin first',
    params: byRoom,
    response: messages,
  },
  'PUT /v1/chat/messages/{messageId}/pin': { summary: 'Pin a message to its room', params: byMessage },
  'DELETE /v1/chat/messages/{messageId}/pin': { summary: 'Unpin a message', params: byMessage },
  'GET /v1/chat/saved': {
    summary: 'Messages that the caller saved, most recently saved first',
    query: z.strictObject({ cursor, limit: pageSize }),
    response: messages.extend({ next }),
  },
  'PUT /v1/chat/messages/{messageId}/saved': { summary: 'Save a message for later', params: byMessage },
  'DELETE /v1/chat/messages/{messageId}/saved': {
    summary: 'Remove a message from the saved ones',
    params: byMessage,
  },
  'GET /v1/chat/search': {
    summary: 'Messages of your rooms that contain every word, newest first',
    query: searchQuery,
    response: searchPage,
  },
} as const satisfies OperationTable
