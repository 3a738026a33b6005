/** Creates signed-in people who have joined chat rooms, without going through sign-in. */
import { createHash, randomBytes } from 'node:crypto'
import { openDatabase } from '../src/postgres/index.ts'

export interface ChatPerson {
  /** Value of the session cookie; the session is valid for an hour. */
  readonly token: string
  readonly roomId: string
}

/** Creates `count` people, each a member of one of `rooms` public rooms. `url` is for the superuser. */
export async function makeChatPeople(url: string, count: number, rooms: number): Promise<ChatPerson[]> {
  const tokens = Array.from({ length: count }, () => randomBytes(32).toString('base64url'))
  const hashes = tokens.map((token) => createHash('sha256').update(token).digest())
  const database = openDatabase({ url, role: 'owner', poolSize: 1 })
  try {
    return await database.direct(async (session) => {
      const users = await session.query<{ id: string }>(
        `insert into akashi_auth.users (issuer, subject, username, email)
         select 'local', 'crowd-' || n, 'crowd-' || n, 'crowd-' || n || '@example.com' from generate_series(1, $1::integer) n returning id`,
        [count],
      )
      const ids = users.rows.map(({ id }) => id)
      await session.query(
        `insert into akashi_auth.user_roles (user_id, role_id)
         select u, r.id from unnest($1::uuid[]) u, akashi_auth.roles r where r.name = 'viewer'`,
        [ids],
      )
      await session.query(
        `insert into akashi_auth.user_sessions (user_id, session_token_hash, expires_at)
         select u, h, now() + interval '1 hour' from unnest($1::uuid[], $2::bytea[]) as t (u, h)`,
        [ids, hashes],
      )
      const made = await session.query<{ id: string }>(
        `with made as (insert into akashi_chat.rooms (name, max_members) select 'room ' || n, 1000 from generate_series(1, $1::integer) n returning id),
           turns as (insert into akashi_chat.room_sequences (room_id, last_sequence) select id, 1 from made)
         select id from made`,
        [rooms],
      )
      const roomIds = made.rows.map(({ id }) => id)
      await session.query(
        `insert into akashi_chat.room_members (room_id, user_id) select ($1::uuid[])[1 + (n - 1) % cardinality($1::uuid[])], u
         from unnest($2::uuid[]) with ordinality as t (u, n)`,
        [roomIds, ids],
      )
      await session.query('analyze')
      return tokens.map((token, at) => ({ token, roomId: roomIds[at % rooms] ?? '' }))
    })
  } finally {
    await database.close()
  }
}
