/** Applies events to the list of rooms. */
import {
  MAX_UNREAD_COUNTED,
  MESSAGE_PREVIEW_CHARACTERS,
  type Message,
  type Room,
  type RoomEvent,
} from '@akashi/contract'

/** The room after the event; the same object if it already includes the event. */
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
  const mentioned = concerns(message, me)
  return {
    ...next,
    unread: Math.min(MAX_UNREAD_COUNTED, room.unread + 1),
    unreadMentions: room.unreadMentions + (mentioned && room.notificationLevel !== 'none' ? 1 : 0),
  }
}

/** Whether a message mentions or replies to the person. */
export function concerns({ mentions, replyTo }: Message, me: string): boolean {
  return mentions.includes(me) || replyTo?.author?.id === me
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
  const preview = [...content].slice(0, MESSAGE_PREVIEW_CHARACTERS).join('')
  return { id, author, content: preview, type, isDeleted, createdAt }
}

function roleOf(value: unknown): 'owner' | 'admin' | 'member' | null {
  return value === 'owner' || value === 'admin' || value === 'member' ? value : null
}

/** The room after the person has read everything up to the message. */
export function afterReading(room: Room, message: Message): Room {
  if (room.readTo !== null && room.readTo >= message.createdAt) return room
  return { ...room, readTo: message.createdAt, unread: 0, unreadMentions: 0 }
}

/** A listing may be older than events that arrived since it was read. */
export function mergeListed(known: ReadonlyMap<string, Room>, listed: readonly Room[]): Map<string, Room> {
  return new Map(
    listed.map((room) => {
      const before = known.get(room.id)
      return [room.id, before !== undefined && before.lastSequence > room.lastSequence ? before : room]
    }),
  )
}

/** The newest message first, as the server lists them. */
export function byNewest(rooms: Iterable<Room>): Room[] {
  const time = (room: Room) => room.lastMessage?.createdAt ?? room.createdAt
  return [...rooms].sort((left, right) => (time(left) < time(right) ? 1 : time(left) > time(right) ? -1 : 0))
}
