/** Rooms: the caller's own, the directory of public ones, their members and invitations. */
import { z } from 'zod'
import {
  classification,
  complianceTags,
  cursor,
  id,
  json,
  list,
  next,
  pageSize,
  reason as reasonText,
  text,
  time,
} from '../fields.ts'
import {
  MAX_GROUP_PEOPLE,
  MAX_ROOM_DESCRIPTION_CHARACTERS,
  MAX_ROOM_MEMBERS,
  MAX_ROOM_NAME_CHARACTERS,
  MAX_UNREAD_COUNTED,
  MIN_GROUP_PEOPLE,
} from '../limits.ts'
import type { OperationTable } from '../operation.ts'
import { person } from './people.ts'

const roomRole = z.enum(['owner', 'admin', 'member'])
const notificationLevel = z.enum(['all', 'mentions', 'none'])

const room = z.object({
  id,
  name: z.string(),
  description: z.string().nullable(),
  type: z.enum(['public', 'private', 'direct', 'group']),
  maxMembers: z.int(),
  isEncrypted: z.boolean().describe('its messages are stored as ciphertext; they cannot be searched'),
  isActive: z.boolean(),
  classification,
  complianceTags: json,
  role: roomRole.nullable().describe('the caller’s; null when not a member'),
  notificationLevel: notificationLevel.nullable(),
  isFavourite: z.boolean(),
  memberCount: z.int(),
  peer: person.nullable().describe('the other person of a direct room'),
  peers: list(person).describe('the other people of a direct room or group'),
  lastSequence: z.int(),
  lastMessage: z
    .object({
      id,
      author: person.nullable(),
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
export type Room = z.output<typeof room>

const member = z.object({ user: person, role: roomRole, joinedAt: time })
export type Member = z.output<typeof member>

const invitation = z.object({
  id,
  room: z.object({ id, name: z.string(), description: z.string().nullable(), type: z.string() }),
  invited: person,
  invitedBy: person.nullable(),
  status: z.enum(['pending', 'accepted', 'declined', 'revoked']),
  expiresAt: time,
  createdAt: time,
})
export type Invitation = z.output<typeof invitation>

const directoryRoom = z.object({
  id,
  name: z.string(),
  description: z.string().nullable(),
  memberCount: z.int(),
  maxMembers: z.int(),
  isMember: z.boolean(),
})
export type DirectoryRoom = z.output<typeof directoryRoom>

const directoryPage = z.object({ rooms: list(directoryRoom), next })
export type DirectoryPage = z.output<typeof directoryPage>

const roomName = text(MAX_ROOM_NAME_CHARACTERS)
const description = text(MAX_ROOM_DESCRIPTION_CHARACTERS, 0).optional()
const visibility = z.enum(['public', 'private'])
const maxMembers = z.int().min(1).max(MAX_ROOM_MEMBERS)

export const newRoom = z.strictObject({
  name: roomName,
  type: visibility.default('public'),
  description,
  maxMembers: maxMembers.default(100),
  isEncrypted: z
    .boolean()
    .default(false)
    .describe('private rooms only, cannot be changed later: messages are encrypted with the room’s key'),
})
export type NewRoom = z.input<typeof newRoom>

export const roomChanges = z.strictObject({
  name: roomName.optional(),
  description: description.describe('empty removes it'),
  type: visibility.optional(),
  maxMembers: maxMembers.optional(),
  isActive: z.boolean().optional().describe('false archives the room: readable, closed for writing'),
  classification: classification
    .optional()
    .describe('of the room and of messages and files sent from now on'),
  complianceTags: complianceTags.optional().describe('replaces all of them'),
})
export type RoomChanges = z.input<typeof roomChanges>

const invitations = z.object({ invitations: list(invitation) })
const user = z.strictObject({ userId: id })
const people = z.strictObject({
  userIds: z
    .array(id)
    .min(MIN_GROUP_PEOPLE - 1)
    .max(MAX_GROUP_PEOPLE - 1)
    .describe('the others'),
})
const byRoom = z.strictObject({ roomId: id })
const byMember = byRoom.extend({ userId: id })
const byInvitation = z.strictObject({ invitationId: id })
const joined = z.object({ roomId: id })

export const roomOperations = {
  'GET /v1/chat/rooms': {
    summary: 'Your rooms, most recent message first',
    response: z.object({ rooms: list(room) }),
  },
  'POST /v1/chat/rooms': { summary: 'Create a room', body: newRoom, response: room, status: 201 },
  'GET /v1/chat/directory': {
    summary: 'Public rooms by name',
    query: z.strictObject({ q: z.string().max(100).default(''), cursor, limit: pageSize }),
    response: directoryPage,
  },
  'POST /v1/chat/direct': {
    summary: 'The direct room with a person, created on first use',
    body: user,
    response: room,
  },
  'POST /v1/chat/groups': {
    summary:
      'The conversation with several people, created on first use; the same people always have the same one',
    body: people,
    response: room,
  },
  'GET /v1/chat/rooms/{roomId}': { summary: 'One room', params: byRoom, response: room },
  'PATCH /v1/chat/rooms/{roomId}': {
    summary: 'Change a room',
    params: byRoom,
    body: roomChanges,
    response: room,
  },
  'DELETE /v1/chat/rooms/{roomId}': {
    summary: 'Delete a room; for an encrypted room this destroys its key and thereby all its messages',
    params: byRoom,
  },
  'POST /v1/chat/rooms/{roomId}/join': { summary: 'Join a public room', params: byRoom },
  'POST /v1/chat/rooms/{roomId}/leave': { summary: 'Leave a room', params: byRoom },
  'POST /v1/chat/rooms/{roomId}/typing': {
    summary: 'Announce that the caller is typing in a room',
    params: byRoom,
  },
  'PUT /v1/chat/rooms/{roomId}/notification-level': {
    summary: 'Set which messages of a room notify the caller',
    params: byRoom,
    body: z.strictObject({ level: notificationLevel }),
  },
  'PUT /v1/chat/rooms/{roomId}/favourite': {
    summary: 'Add a room to your favourites',
    params: byRoom,
  },
  'DELETE /v1/chat/rooms/{roomId}/favourite': {
    summary: 'Remove a room from your favourites',
    params: byRoom,
  },
  'GET /v1/chat/rooms/{roomId}/members': {
    summary: 'Members of a room',
    params: byRoom,
    response: z.object({ members: list(member) }),
  },
  'PATCH /v1/chat/rooms/{roomId}/members/{userId}': {
    summary: 'Change a member’s role',
    params: byMember,
    body: z.strictObject({ role: roomRole }),
  },
  'DELETE /v1/chat/rooms/{roomId}/members/{userId}': { summary: 'Remove a member', params: byMember },
  'PUT /v1/chat/rooms/{roomId}/bans/{userId}': {
    summary: 'Ban a person, member or not, who then cannot be invited again',
    params: byMember,
  },
  'DELETE /v1/chat/rooms/{roomId}/bans/{userId}': { summary: 'Lift a ban', params: byMember },
  'PUT /v1/chat/rooms/{roomId}/owner': {
    summary: 'Make a person the only owner of a room, member or not; former owners become admins',
    params: byRoom,
    body: user.extend({ reason: reasonText }),
  },
  'GET /v1/chat/rooms/{roomId}/invitations': {
    summary: 'Pending invitations to a room',
    params: byRoom,
    response: invitations,
  },
  'POST /v1/chat/rooms/{roomId}/invitations': {
    summary: 'Invite a person',
    params: byRoom,
    body: user,
    response: z.object({ id }),
    status: 201,
  },
  'GET /v1/chat/invitations': { summary: 'Pending invitations of the caller', response: invitations },
  'POST /v1/chat/invitations/{invitationId}/accept': {
    summary: 'Accept an invitation',
    params: byInvitation,
    response: joined,
  },
  'POST /v1/chat/invitations/{invitationId}/decline': {
    summary: 'Decline an invitation',
    params: byInvitation,
    response: joined,
  },
  'DELETE /v1/chat/invitations/{invitationId}': { summary: 'Revoke an invitation', params: byInvitation },
} as const satisfies OperationTable
