import type { Invitation, Member } from '@akashi/contract'
import { AkashiError } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { personJson, timeJson } from './json-sql.ts'

/** The members of a room, owners first. Empty for a room whose members the caller may not see. */
export async function listMembers(
  database: Database,
  actor: Actor,
  roomId: string,
): Promise<readonly Member[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ member: Member }>(
        `select jsonb_build_object('user', jsonb_build_object('id', u.id, 'username', u.username,
             'displayName', u.display_name, 'avatarUrl', u.avatar_url),
           'role', m.role, 'joinedAt', ${timeJson('m.joined_at')}) as member
         from akashi_chat.room_members m join akashi_auth.profiles u on u.id = m.user_id
         where m.room_id = $1 and m.is_active and m.room_id = any ((select akashi_chat.my_rooms())::uuid[])
         order by array_position(array['owner', 'admin', 'member'], m.role::text), lower(u.display_name), u.id`,
        [roomId],
      ),
    { readOnly: true },
  )
  return rows.map(({ member }) => member)
}

/** @throws not_found unless the caller is a member of the room */
export async function requireMember(database: Database, actor: Actor, roomId: string): Promise<void> {
  const { rowCount } = await database.transaction(
    actor,
    (session) => session.query('select from akashi_chat.room_sequences where room_id = $1', [roomId]),
    { readOnly: true },
  )
  if (rowCount === 0) throw new AkashiError('not_found', 'room not found')
}

export async function setMemberRole(
  database: Database,
  actor: Actor,
  roomId: string,
  userId: string,
  role: Member['role'],
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.set_member_role($1, $2, $3)', [roomId, userId, role]),
  )
}

export async function removeMember(
  database: Database,
  actor: Actor,
  roomId: string,
  userId: string,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.remove_member($1, $2)', [roomId, userId]),
  )
}

/** Bans a person from a room, or lifts the ban. */
export async function banMember(
  database: Database,
  actor: Actor,
  roomId: string,
  userId: string,
  banned: boolean,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.ban_member($1, $2, $3)', [roomId, userId, banned]),
  )
}

/** Makes a person the only owner of a room. @throws AkashiError forbidden without rooms:admin */
export async function transferRoom(
  database: Database,
  actor: Actor,
  roomId: string,
  userId: string,
  reason: string,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.transfer_room($1, $2, $3)', [roomId, userId, reason]),
  )
}

const invitationJson = `jsonb_build_object('id', i.id,
  'room', (select jsonb_build_object('id', r.id, 'name', r.name, 'description', r.description, 'type', r.room_type)
    from akashi_chat.rooms r where r.id = i.room_id),
  'invited', ${personJson('i.invited_user_id')}, 'invitedBy', ${personJson('i.invited_by')},
  'status', i.status, 'expiresAt', ${timeJson('i.expires_at')}, 'createdAt', ${timeJson('i.created_at')})`

async function invitations(
  database: Database,
  actor: Actor,
  condition: string,
  values: readonly unknown[],
): Promise<readonly Invitation[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ invitation: Invitation }>(
        `select ${invitationJson} as invitation from akashi_chat.room_invitations i
         where ${condition} and exists (select from akashi_chat.rooms r where r.id = i.room_id) order by i.created_at desc, i.id`,
        values,
      ),
    { readOnly: true },
  )
  return rows.map(({ invitation }) => invitation)
}

/** The caller's pending invitations. */
export function myInvitations(database: Database, actor: Actor): Promise<readonly Invitation[]> {
  return invitations(
    database,
    actor,
    `i.invited_user_id = (select akashi_auth.current_user_id()) and i.status = 'pending' and i.expires_at > now()`,
    [],
  )
}

/** The pending invitations of a room, for its owners and admins. */
export function roomInvitations(
  database: Database,
  actor: Actor,
  roomId: string,
): Promise<readonly Invitation[]> {
  return invitations(database, actor, `i.room_id = $1 and i.status = 'pending' and i.expires_at > now()`, [
    roomId,
  ])
}

/** @param keyCopy of the key of an encrypted room, for the invited person */
export async function invite(
  database: Database,
  actor: Actor,
  roomId: string,
  userId: string,
  keyCopy?: Uint8Array,
): Promise<string> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ id: string }>('select id from akashi_chat.invite($1, $2, key_copy => $3)', [
      roomId,
      userId,
      keyCopy ?? null,
    ]),
  )
  return rows[0]?.id ?? ''
}

/** Accepts or declines an invitation, and marks its notification as read. Returns the room's id. */
export async function answerInvitation(
  database: Database,
  actor: Actor,
  invitationId: string,
  accept: boolean,
): Promise<string> {
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<{ room_id: string }>(
      'select room_id from akashi_chat.answer_invitation($1, $2)',
      [invitationId, accept],
    )
    const roomId = rows[0]?.room_id ?? ''
    await session.query(
      `update akashi_chat.notifications set read_at = now()
       where room_id = $1 and notification_type = 'invitation' and read_at is null`,
      [roomId],
    )
    return roomId
  })
}

export async function revokeInvitation(
  database: Database,
  actor: Actor,
  invitationId: string,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.revoke_invitation($1)', [invitationId]),
  )
}
