import { z } from 'zod'
import type { Actor, Database } from '../postgres/index.ts'
import { messageJson } from './json-sql.ts'
import type { Message } from './shapes.ts'

/** Messages of one page unless the caller says otherwise, and at most. */
export const DEFAULT_FOUND = 20
export const MAX_FOUND = 100
/** Code units of a query. */
const MAX_QUERY_LENGTH = 200

export const searchQuery = z.strictObject({
  q: z.string().trim().min(1, 'is empty').max(MAX_QUERY_LENGTH),
  roomId: z.guid().optional(),
  senderId: z.guid().optional(),
  from: z.iso.datetime({ offset: true }).optional().describe('sent at or after'),
  to: z.iso.datetime({ offset: true }).optional().describe('sent before'),
  hasFile: z.stringbool().optional(),
  before: z.guid().optional().describe('the last message of the page before'),
  limit: z.coerce.number().int().min(1).max(MAX_FOUND).default(DEFAULT_FOUND),
})
export type SearchQuery = z.output<typeof searchQuery>

export interface Found {
  /** Newest first. */
  readonly messages: readonly Message[]
  /** Pass it as `before` for the page after this one; null when this is the last. */
  readonly next: string | null
}

/** Messages of the caller's rooms that hold every word, of one character or more; width and case do not count. */
export async function searchMessages(database: Database, actor: Actor, query: SearchQuery): Promise<Found> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ message: Message }>(
        // One message at a time: a join may read all of the reader's rooms, and for whoever has none not call the search.
        `select one.message
         from chat.search_messages(chat.searchable($1), $2, $3, coalesce($4::timestamptz, '-infinity'), coalesce($5::timestamptz, 'infinity'), $6, $7, $8)
           with ordinality as f (id, place)
         cross join lateral (select ${messageJson('m')} as message from chat.messages m
           where m.id = f.id and m.created_at = chat.message_time(f.id) limit 1) as one
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
      ),
    { readOnly: true },
  )
  const messages = rows.slice(0, query.limit).map(({ message }) => message)
  return { messages, next: rows.length > query.limit ? (messages.at(-1)?.id ?? null) : null }
}
