import type { Presence, PresenceStatus } from '@akashi/contract'
import type { Actor, Database } from '../postgres/index.ts'

/** Sets the presence of the actor's session. Returns whether it changed. */
export async function setPresence(
  database: Database,
  actor: Actor,
  status: PresenceStatus,
  roomId?: string,
): Promise<boolean> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ written: boolean }>('select akashi_auth.set_session_status($1, $2) as written', [
      status,
      roomId ?? null,
    ]),
  )
  return rows[0]?.written === true
}

/** The presence of people who share a room with the caller. */
export async function presenceOf(
  database: Database,
  actor: Actor,
  userIds: readonly string[],
): Promise<readonly Presence[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Presence>('select user_id as "userId", status from akashi_chat.presence($1)', [userIds]),
    { readOnly: true },
  )
  return rows
}

/** People active in the last half hour. */
export async function activeUserCount(database: Database, actor: Actor): Promise<number> {
  const { rows } = await database.transaction(
    actor,
    (session) => session.query<{ count: number }>('select akashi_auth.active_user_count()::int as count'),
    { readOnly: true },
  )
  return rows[0]?.count ?? 0
}

/**
 * Records sessions whose sockets a server opened, and closed so many milliseconds ago. Returns the people whose
 * presence may have changed. For the role `worker`.
 */
export async function socketsChanged(
  worker: Database,
  actor: Actor,
  opened: readonly string[],
  closed: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<{ userId: string }>(
      'select distinct u as "userId" from akashi_auth.sockets_changed($1::uuid[], $2::uuid[], $3::integer[]) as u',
      [opened, [...closed.keys()], [...closed.values()]],
    ),
  )
  return rows.map(({ userId }) => userId)
}

/** The presence of people with the rooms to announce it in. For the role `worker`. */
export async function presenceToAnnounce(
  worker: Database,
  actor: Actor,
  userIds: readonly string[],
): Promise<readonly (Presence & { readonly roomIds: readonly string[] })[]> {
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<Presence & { roomIds: string[] }>(
        'select user_id as "userId", status, room_ids as "roomIds" from akashi_chat.presence_to_spread($1::uuid[])',
        [userIds],
      ),
    { readOnly: true },
  )
  return rows
}

/** The sessions that are still valid. For the role `worker`. */
export async function validSessions(
  worker: Database,
  actor: Actor,
  sessionIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<{ ids: string[] }>('select akashi_auth.valid_sessions($1) as ids', [sessionIds]),
    { readOnly: true },
  )
  return new Set(rows[0]?.ids)
}
