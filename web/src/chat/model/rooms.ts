/** What events mean for the list of rooms. */
import {
  MAX_UNREAD_COUNTED,
  MESSAGE_PREVIEW_CHARACTERS,
  type Message,
  type Room,
  type RoomEvent,
} from '@akashi/contract'

/** The room after the event; the same object when the event is already part of it. */
export function afterEvent(room: Room, event: RoomEvent, me: string): Room {
  if (event.sequence <= room.lastSequence) return room
  const next = { ...room, lastSequence: event.sequence }
  const { message } = event
  switch (event.type) {
    case 'message_created':
      return message === null ? next : afterMessage(next, message, me)
    case 'message_edited':
    case 'message_deleted':
      return message === null ? next : afterChange(next, message, event.type === 'message_deleted', me)
    case 'member_joined':
      return { ...next, memberCount: room.memberCount + 1 }
    case 'member_left':
      return { ...next, memberCount: Math.max(0, room.memberCount - 1) }
    case 'member_changed':
      return event.userId === me ? { ...next, role: roleOf(event.detail['role']) ?? room.role } : next
    default:
      return next
  }
}

function afterMessage(room: Room, message: Message, me: string): Room {
  const next = { ...room, lastMessage: previewOf(message) }
  if (message.author?.id === me || message.isDeleted) return next
  const told = message.mentions.includes(me) || message.replyTo?.author?.id === me
  return {
    ...next,
    unread: Math.min(MAX_UNREAD_COUNTED, room.unread + 1),
    unreadMentions: room.unreadMentions + (told && room.notificationLevel !== 'none' ? 1 : 0),
  }
}

function afterChange(room: Room, message: Message, deleted: boolean, me: string): Room {
  const wasUnread =
    deleted && message.author?.id !== me && (room.readTo === null || message.createdAt > room.readTo)
  return {
    ...room,
    unread: Math.max(0, room.unread - (wasUnread ? 1 : 0)),
    lastMessage: room.lastMessage?.id === message.id ? previewOf(message) : room.lastMessage,
  }
}

function previewOf(message: Message): NonNullable<Room['lastMessage']> {
  const { id, author, content, type, isDeleted, createdAt } = message
  return {
    id,
    author,
    content: [...content].slice(0, MESSAGE_PREVIEW_CHARACTERS).join(''),
    type,
    isDeleted,
    createdAt,
  }
}

function roleOf(value: unknown): 'owner' | 'admin' | 'member' | null {
  return value === 'owner' || value === 'admin' || value === 'member' ? value : null
}

/** Everything up to the message was read by the caller. */
export function afterReading(room: Room, message: Message): Room {
  if (room.readTo !== null && room.readTo >= message.createdAt) return room
  return { ...room, readTo: message.createdAt, unread: 0, unreadMentions: 0 }
}

/** A listing may be older than events that were heard since it was read. */
export function mergeListed(known: ReadonlyMap<string, Room>, listed: readonly Room[]): Map<string, Room> {
  return new Map(
    listed.map((room) => {
      const had = known.get(room.id)
      return [room.id, had !== undefined && had.lastSequence > room.lastSequence ? had : room]
    }),
  )
}

/** The newest message first, as the server lists them. */
export function byNewest(rooms: Iterable<Room>): Room[] {
  const time = (room: Room) => room.lastMessage?.createdAt ?? room.createdAt
  return [...rooms].sort((left, right) => (time(left) < time(right) ? 1 : time(left) > time(right) ? -1 : 0))
}
