import { MAX_EVENTS, type MissedEvents, type RoomEvent } from '@akashi/contract'
import type { Actor, Database } from '../postgres/index.ts'
import { messageJson, timeJson } from './json-sql.ts'

/** The events of a room after a sequence number; at most {@link MAX_EVENTS} at a time. */
export async function eventsAfter(
  database: Database,
  actor: Actor,
  roomId: string,
  after: number,
): Promise<MissedEvents> {
  return await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<{ event: RoomEvent | null; last: string }>(
        `select s.last_sequence::text as last, e.event
         from akashi_chat.room_sequences s left join lateral (select e.sequence, jsonb_build_object('roomId', e.room_id, 'sequence', e.sequence, 'type', e.event_type, 'messageId', e.message_id,
           'userId', e.user_id, 'detail', e.detail, 'createdAt', ${timeJson('e.created_at')},
           'message', (select ${messageJson('m')} from akashi_chat.messages m
             where m.id = e.message_id and m.created_at = akashi_chat.message_time(e.message_id))) as event
           from akashi_chat.room_events e where e.room_id = s.room_id and e.sequence > $2 order by e.sequence limit ${MAX_EVENTS}) e on true
         where s.room_id = $1 order by e.sequence`,
        [roomId, after],
      )
      const lastSequence = Number(rows[0]?.last ?? 0)
      const events = rows.flatMap(({ event }) => event ?? [])
      const gap = after < lastSequence && events[0]?.sequence !== after + 1
      return { events: gap ? [] : events, lastSequence, gap }
    },
    { readOnly: true },
  )
}
