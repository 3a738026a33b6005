/**
 * What chat gives and takes, once for the library, HTTP and the socket.
 *
 * room: a conversation; member: somebody in it with a role; message: one entry of a room's history, in the
 * room's order; event: anything that happened in a room, numbered without gaps by `sequence`.
 */
import { z } from 'zod'

/** Characters (code points) of a message, S1 3.3. */
export const MAX_CONTENT_CHARACTERS = 4_000
export const MAX_ROOM_NAME_CHARACTERS = 100
export const MAX_DESCRIPTION_CHARACTERS = 2_000
/** Members of the largest room, S1 3.2. */
export const MAX_ROOM_MEMBERS = 1_000
/** Bytes of the largest file, S1 3.6. */
export const MAX_FILE_BYTES = 104_857_600
/** Code units of one reaction; the longest emoji sequences have fewer. */
const MAX_EMOJI_LENGTH = 32
export const MAX_PAGE = 200
export const DEFAULT_PAGE = 50
/** Unread messages are counted up to here; a client shows 99+. */
export const MAX_UNREAD_COUNTED = 100
/** Rooms of one person that are listed, those with the newest messages first. */
export const MAX_ROOMS_LISTED = 500
/** Events that one request for what was missed answers. */
export const MAX_EVENTS = 500

const id = z.guid()
const time = z.iso.datetime({ offset: true })

/** PostgreSQL holds neither U+0000 nor half of a surrogate pair. */
const storable = (value: string) => value.isWellFormed() && !value.includes('\u0000')
/** Length in code points, as PostgreSQL counts characters. */
const characters = (value: string) => [...value].length

function text(longest: number, shortest = 1) {
  return z
    .string()
    .refine(storable, 'holds a character that cannot be stored')
    .refine((value) => characters(value) <= longest, `is over ${longest} characters`)
    .refine((value) => characters(value) >= shortest, 'is empty')
}

export const personShape = z.object({
  id,
  username: z.string(),
  displayName: z.string(),
  avatarUrl: z.string().nullable(),
})
export type Person = z.output<typeof personShape>

export const roomRoles = ['owner', 'admin', 'member'] as const
export const notificationLevels = ['all', 'mentions', 'none'] as const

export const fileShape = z.object({
  id,
  roomId: id,
  messageId: id.nullable(),
  name: z.string(),
  size: z.int().describe('bytes'),
  mimeType: z.string(),
  status: z.enum(['processing', 'completed', 'failed']),
  failureReason: z.string().nullable(),
  hasThumbnail: z.boolean(),
  width: z.int().nullable(),
  height: z.int().nullable(),
})
export type ChatFile = z.output<typeof fileShape>

export const messageShape = z.object({
  id,
  roomId: id,
  sequence: z.int().describe('place in the order of the room'),
  type: z.enum(['text', 'image', 'file', 'system']),
  content: z.string().describe('empty once deleted'),
  author: personShape.nullable().describe('null: erased'),
  replyTo: z
    .object({
      id,
      author: personShape.nullable(),
      content: z.string(),
      type: z.string(),
      isDeleted: z.boolean(),
    })
    .nullable(),
  mentions: z.array(id),
  reactions: z.array(z.object({ emoji: z.string(), userIds: z.array(id) })),
  file: fileShape.nullable(),
  clientId: id.nullable(),
  isEdited: z.boolean(),
  isDeleted: z.boolean(),
  createdAt: time,
  updatedAt: time,
})
export type Message = z.output<typeof messageShape>

export const roomShape = z.object({
  id,
  name: z.string(),
  description: z.string().nullable(),
  type: z.enum(['public', 'private', 'direct']),
  maxMembers: z.int(),
  isActive: z.boolean(),
  classification: z.string(),
  role: z.enum(roomRoles).nullable().describe('the caller’s; null when not a member'),
  notificationLevel: z.enum(notificationLevels).nullable(),
  memberCount: z.int(),
  peer: personShape.nullable().describe('the other person of a direct room'),
  lastSequence: z.int(),
  lastMessage: z
    .object({
      id,
      author: personShape.nullable(),
      content: z.string(),
      type: z.string(),
      isDeleted: z.boolean(),
      createdAt: time,
    })
    .nullable(),
  unread: z.int().describe(`counted up to ${MAX_UNREAD_COUNTED}`),
  unreadMentions: z.int(),
  readTo: time.nullable().describe('createdAt of the last message read'),
  createdAt: time,
})
export type Room = z.output<typeof roomShape>

export const memberShape = z.object({
  user: personShape,
  role: z.enum(roomRoles),
  joinedAt: time,
})
export type Member = z.output<typeof memberShape>

export const invitationShape = z.object({
  id,
  room: z.object({ id, name: z.string(), description: z.string().nullable(), type: z.string() }),
  invited: personShape,
  invitedBy: personShape.nullable(),
  status: z.enum(['pending', 'accepted', 'declined', 'revoked']),
  expiresAt: time,
  createdAt: time,
})
export type Invitation = z.output<typeof invitationShape>

export const directoryShape = z.object({
  id,
  name: z.string(),
  description: z.string().nullable(),
  memberCount: z.int(),
  maxMembers: z.int(),
  isMember: z.boolean(),
})
export type DirectoryRoom = z.output<typeof directoryShape>

export const eventTypes = [
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

export const eventShape = z.object({
  roomId: id,
  sequence: z.int(),
  type: z.enum(eventTypes),
  messageId: id.nullable(),
  userId: id.nullable().describe('whom it is about'),
  detail: z.record(z.string(), z.unknown()),
  createdAt: time,
  message: messageShape.nullable().describe('the message as it is now, for events about one'),
})
export type RoomEvent = z.output<typeof eventShape>

export const notificationShape = z.object({
  id,
  type: z.enum(['mention', 'reply', 'message', 'invitation']),
  room: z.object({ id, name: z.string(), type: z.string() }),
  messageId: id.nullable(),
  actor: personShape.nullable(),
  preview: z.string().nullable().describe('the message’s first characters, as its reader may see them'),
  readAt: time.nullable(),
  createdAt: time,
})
export type Notification = z.output<typeof notificationShape>

export const preferencesShape = z.object({
  locale: z.enum(['ja', 'en']),
  timeZone: z.string().max(64),
  theme: z.enum(['auto', 'light', 'dark']),
  showPresence: z.boolean(),
  directMessages: z.enum(['everyone', 'shared_rooms', 'nobody']),
  notifyMentions: z.boolean(),
  notifyReplies: z.boolean(),
  notifyInvitations: z.boolean(),
})
export type Preferences = z.output<typeof preferencesShape>

export const newRoom = z.strictObject({
  name: text(MAX_ROOM_NAME_CHARACTERS),
  type: z.enum(['public', 'private']).default('public'),
  description: text(MAX_DESCRIPTION_CHARACTERS, 0).optional(),
  maxMembers: z.int().min(1).max(MAX_ROOM_MEMBERS).default(100),
})
export type NewRoom = z.input<typeof newRoom>

export const roomChanges = z.strictObject({
  name: text(MAX_ROOM_NAME_CHARACTERS).optional(),
  description: text(MAX_DESCRIPTION_CHARACTERS, 0).optional().describe('empty removes it'),
  type: z.enum(['public', 'private']).optional(),
  maxMembers: z.int().min(1).max(MAX_ROOM_MEMBERS).optional(),
  isActive: z.boolean().optional().describe('false archives the room: readable, closed for writing'),
})
export type RoomChanges = z.input<typeof roomChanges>

export const newMessage = z.strictObject({
  content: text(MAX_CONTENT_CHARACTERS, 0),
  fileId: id.optional(),
  replyToId: id.optional(),
  mentions: z.array(id).max(MAX_ROOM_MEMBERS).default([]),
  clientId: id.optional().describe('the same one sent again is the same message'),
})
export type NewMessage = z.input<typeof newMessage>

export const messageChange = z.strictObject({
  content: text(MAX_CONTENT_CHARACTERS),
  mentions: z.array(id).max(MAX_ROOM_MEMBERS).default([]),
})
export type MessageChange = z.input<typeof messageChange>

export const emojiShape = text(MAX_EMOJI_LENGTH)
export const preferenceChanges = preferencesShape.partial()
export type PreferenceChanges = z.input<typeof preferenceChanges>
