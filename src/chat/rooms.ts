import {
  DEFAULT_PAGE_SIZE,
  type DirectoryPage,
  type DirectoryRoom,
  MAX_ROOMS_LISTED,
  MAX_UNREAD_COUNTED,
  type NewRoom,
  newRoom,
  type Room,
  type RoomChanges,
  roomChanges,
} from '@akashi/contract'
import { z } from 'zod'
import { AkashiError, decodeCursor, encodeCursor } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { personJson, previewJson, timeJson } from './json-sql.ts'

/** A room as the caller sees it; `me` is their membership, null for non-members. */
const roomJson = `jsonb_build_object('id', r.id, 'name', r.name, 'description', r.description, 'type', r.room_type,
  'maxMembers', r.max_members, 'isEncrypted', r.is_encrypted, 'isActive', r.is_active, 'classification', r.security_classification,
  'complianceTags', r.compliance_tags,
  'role', me.role, 'notificationLevel', me.notification_level,
  'isFavourite', exists (select from akashi_chat.favourite_rooms f where f.user_id = me.user_id and f.room_id = r.id),
  'memberCount', (select count(*) from akashi_chat.room_members x where x.room_id = r.id and x.is_active),
  'peer', (select ${personJson('x.user_id')} from akashi_chat.room_members x
    where r.room_type = 'direct' and x.room_id = r.id and x.user_id <> me.user_id limit 1),
  'peers', (select coalesce(jsonb_agg(${personJson('x.user_id')} order by x.user_id), '[]') from akashi_chat.room_members x
    where r.room_type in ('direct', 'group') and x.room_id = r.id and x.user_id <> me.user_id and x.is_active),
  'lastSequence', coalesce(s.last_sequence, 0),
  'lastMessage', (select jsonb_build_object('id', l.id, 'author', ${personJson('l.user_id')}, 'content', ${previewJson('l')},
      'type', l.message_type, 'isDeleted', l.is_deleted, 'createdAt', ${timeJson('l.created_at')})
    from akashi_chat.messages l where l.room_id = r.id and l.created_at = s.last_message_at),
  'unread', (select count(*) from (select from akashi_chat.messages n where n.room_id = r.id
      and n.created_at > coalesce(p.read_to, me.joined_at) and n.created_at <= s.last_message_at
      and n.user_id is distinct from me.user_id and not n.is_deleted
    order by n.created_at desc limit ${MAX_UNREAD_COUNTED}) counted),
  'unreadMentions', (select count(*) from akashi_chat.notifications n where n.user_id = me.user_id and n.room_id = r.id
    and n.read_at is null and n.notification_type in ('mention', 'reply')),
  'readTo', ${timeJson('p.read_to')}, 'createdAt', ${timeJson('r.created_at')})`

const roomRows = `akashi_chat.rooms r
  left join akashi_chat.room_members me on me.room_id = r.id and me.user_id = (select akashi_auth.current_user_id()) and me.is_active
  left join akashi_chat.room_sequences s on s.room_id = r.id
  left join akashi_chat.read_positions p on p.room_id = r.id and p.user_id = me.user_id`

/** The caller's rooms, most recent message first; at most {@link MAX_ROOMS_LISTED}. */
export async function listRooms(database: Database, actor: Actor): Promise<readonly Room[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ room: Room }>(
        `select ${roomJson} as room from ${roomRows} where me.id is not null
         order by s.last_message_at desc, r.created_at desc, r.id limit ${MAX_ROOMS_LISTED}`,
      ),
    { readOnly: true },
  )
  return rows.map(({ room }) => room)
}

/** @throws not_found also for a room that the caller may not see */
export async function readRoom(database: Database, actor: Actor, roomId: string): Promise<Room> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ room: Room }>(`select ${roomJson} as room from ${roomRows} where r.id = $1`, [roomId]),
    { readOnly: true },
  )
  const [found] = rows
  if (found === undefined) {
    throw new AkashiError('not_found', 'room not found')
  }
  return found.room
}

/** Runs a function that returns a room, and reads that room as the caller now sees it. */
async function changed(
  database: Database,
  actor: Actor,
  text: string,
  values: readonly unknown[],
): Promise<Room> {
  const { rows } = await database.transaction(actor, (session) => session.query<{ id: string }>(text, values))
  return await readRoom(database, actor, rows[0]?.id ?? '')
}

/**
 * The caller becomes its owner.
 *
 * @param secret of an encrypted room: its id, and the caller's copy of its key
 */
export async function createRoom(
  database: Database,
  actor: Actor,
  room: NewRoom,
  secret?: { readonly roomId: string; readonly copy: Uint8Array },
): Promise<Room> {
  const { name, type, description, maxMembers, isEncrypted } = newRoom.parse(room)
  if (isEncrypted !== (secret !== undefined)) {
    throw new AkashiError('internal', 'an encrypted room, and no other, is created with its key')
  }
  return await changed(database, actor, 'select id from akashi_chat.create_room($1, $2, $3, $4, $5, $6)', [
    name,
    type,
    description ?? null,
    maxMembers,
    secret?.roomId ?? null,
    secret?.copy ?? null,
  ])
}

/** The direct room with another person, created on first use. */
export function openDirectRoom(database: Database, actor: Actor, userId: string): Promise<Room> {
  return changed(database, actor, 'select id from akashi_chat.open_direct_room($1)', [userId])
}

/** The group of the caller and these people, created on first use. */
export function openGroup(database: Database, actor: Actor, userIds: readonly string[]): Promise<Room> {
  return changed(database, actor, 'select id from akashi_chat.open_group($1)', [userIds])
}

export function updateRoom(
  database: Database,
  actor: Actor,
  roomId: string,
  changes: RoomChanges,
): Promise<Room> {
  const { type, maxMembers, isActive, classification, complianceTags, ...same } = roomChanges.parse(changes)
  const columns = {
    ...same,
    room_type: type,
    max_members: maxMembers,
    is_active: isActive,
    security_classification: classification,
    compliance_tags: complianceTags,
  }
  return changed(database, actor, 'select id from akashi_chat.update_room($1, $2)', [
    roomId,
    JSON.stringify(columns),
  ])
}

async function call(
  database: Database,
  actor: Actor,
  text: string,
  values: readonly unknown[],
): Promise<void> {
  await database.transaction(actor, (session) => session.query(text, values))
}

export function deleteRoom(database: Database, actor: Actor, roomId: string): Promise<void> {
  return call(database, actor, 'select akashi_chat.delete_room($1)', [roomId])
}

export function joinRoom(database: Database, actor: Actor, roomId: string): Promise<void> {
  return call(database, actor, 'select akashi_chat.join_room($1)', [roomId])
}

export function leaveRoom(database: Database, actor: Actor, roomId: string): Promise<void> {
  return call(database, actor, 'select akashi_chat.leave_room($1)', [roomId])
}

export function setNotificationLevel(
  database: Database,
  actor: Actor,
  roomId: string,
  level: string,
): Promise<void> {
  return call(database, actor, 'select akashi_chat.set_notification_level($1, $2)', [roomId, level])
}

/** The cursor of the directory: a room's name and id. */
const directoryPlace = z.tuple([z.string(), z.guid()])

/** Public rooms ordered by name. `matching` is searched in name and description. */
export async function publicRooms(
  database: Database,
  actor: Actor,
  query: {
    readonly matching?: string
    /** `next` of the previous page. */
    readonly cursor?: string | undefined
    readonly limit?: number
  },
): Promise<DirectoryPage> {
  const [afterName, afterId] = query.cursor === undefined ? [] : decodeCursor(query.cursor, directoryPlace)
  const limit = query.limit ?? DEFAULT_PAGE_SIZE
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ room: DirectoryRoom }>(
        `select jsonb_build_object('id', d.id, 'name', d.name, 'description', d.description, 'memberCount', d.member_count,
           'maxMembers', d.max_members, 'isMember', d.is_member) as room
         from akashi_chat.public_rooms($1, $2, $3, $4) d`,
        [query.matching ?? '', afterName ?? null, afterId ?? null, limit],
      ),
    { readOnly: true },
  )
  const rooms = rows.map(({ room }) => room)
  const last = rooms.at(-1)
  const next = rooms.length < limit || last === undefined ? null : encodeCursor([last.name, last.id])
  return { rooms, next }
}
