/** Pinned messages of a room, saved messages and favourite rooms. */
import type { Message, ResponseOf } from '@akashi/contract'
import { decodeCursor, encodeCursor } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { cursorTime, messageJson, placeInTime, timeOfCursor } from './json-sql.ts'

/** Pins a message to its room or unpins it. Returns the room's id. */
export async function pinMessage(
  database: Database,
  actor: Actor,
  messageId: string,
  wanted: boolean,
): Promise<string> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ roomId: string }>('select akashi_chat.pin_message($1, $2) as "roomId"', [
      messageId,
      wanted,
    ]),
  )
  return rows[0]?.roomId ?? ''
}

/** Pinned messages of a room, the newest pin first; none of a room that the caller may not read. */
export async function listPins(
  database: Database,
  actor: Actor,
  roomId: string,
): Promise<readonly Message[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ message: Message }>(
        `select ${messageJson('m')} as message from akashi_chat.pinned_messages p
         join akashi_chat.messages m on m.id = p.message_id and m.created_at = akashi_chat.message_time(p.message_id)
         where p.room_id = $1 and not m.is_deleted order by p.created_at desc, p.message_id`,
        [roomId],
      ),
    { readOnly: true },
  )
  return rows.map(({ message }) => message)
}

export async function saveMessage(
  database: Database,
  actor: Actor,
  messageId: string,
  wanted: boolean,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.save_message($1, $2)', [messageId, wanted]),
  )
}

/** Messages that the caller saved, the last saved first. */
export async function listSaved(
  database: Database,
  actor: Actor,
  query: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<ResponseOf<'GET /v1/chat/saved'>> {
  const [before, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, placeInTime)
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ message: Message; at: string }>(
        `select ${messageJson('m')} as message, ${cursorTime('s.created_at')} as at
         from akashi_chat.saved_messages s
         join akashi_chat.messages m on m.id = s.message_id and m.created_at = akashi_chat.message_time(s.message_id)
         where s.user_id = (select akashi_auth.current_user_id()) and not m.is_deleted
           and ($1::bigint is null or (s.created_at, s.message_id) < (${timeOfCursor('$1')}, $2))
         order by s.created_at desc, s.message_id desc limit $3`,
        [before ?? null, id ?? null, query.limit],
      ),
    { readOnly: true },
  )
  const last = rows.at(-1)
  const next =
    rows.length < query.limit || last === undefined ? null : encodeCursor([last.at, last.message.id])
  return { messages: rows.map(({ message }) => message), next }
}

export async function setFavourite(
  database: Database,
  actor: Actor,
  roomId: string,
  wanted: boolean,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.set_favourite($1, $2)', [roomId, wanted]),
  )
}
