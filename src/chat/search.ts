import type { Message, MessageSearch, SearchPage } from '@akashi/contract'
import { given } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { messageJson } from './json-sql.ts'

/** Messages in the caller’s rooms that contain every word of one or more characters; ignores width and case. */
export async function searchMessages(
  database: Database,
  actor: Actor,
  query: MessageSearch,
  signal?: AbortSignal,
): Promise<SearchPage> {
  const { rows, encryptedRooms } = await database.transaction(
    actor,
    async (session) => {
      const found = await session.query<{ message: Message }>(
        // One message at a time: a join may read all rooms of the caller, or skip the search for a caller without rooms.
        `select one.message
         from akashi_chat.search_messages(akashi_chat.searchable($1), $2, $3, coalesce($4::timestamptz, '-infinity'), coalesce($5::timestamptz, 'infinity'), $6, $7, $8)
           with ordinality as f (id, place)
         cross join lateral (select ${messageJson('m')} as message from akashi_chat.messages m
           where m.id = f.id and m.created_at = akashi_chat.message_time(f.id) limit 1) as one
         order by f.place`,
        [
          query.q,
          query.roomId ?? null,
          query.senderId ?? null,
          query.from ?? null,
          query.to ?? null,
          query.hasFile ?? null,
          query.before ?? null,
          query.limit + 1,
        ],
      )
      const encrypted = await session.query<{ rooms: number }>(
        `select count(*)::int as rooms from akashi_chat.rooms r
         where r.is_encrypted and r.id = any ((select akashi_chat.my_rooms())::uuid[])`,
      )
      return { rows: found.rows, encryptedRooms: encrypted.rows[0]?.rooms ?? 0 }
    },
    given({ readOnly: true, signal }),
  )
  const messages = rows.slice(0, query.limit).map(({ message }) => message)
  return { messages, encryptedRooms, next: rows.length > query.limit ? (messages.at(-1)?.id ?? null) : null }
}
