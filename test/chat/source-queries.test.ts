import type { Room } from '@akashi/contract'
import { beforeAll, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { testDatabase } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

/** Queries of the chat requirements with mapped schema names; they find what the API finds. */
const database = testDatabase()
const app = database.open('app')
let aoi: Person
let room: Room

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  room = await chat.createRoom(app, aoi.actor, { name: 'queries' })
  for (let at = 0; at < 60; at += 1) await chat.postMessage(app, aoi.actor, room.id, { content: `${at}` })
  const gone = await chat.postMessage(app, aoi.actor, room.id, { content: 'gone' })
  await chat.deleteMessage(app, aoi.actor, gone.id)
})

it('history of a room', async () => {
  const rows = await aoi.ask<{ id: string; content: string; username: string }>(
    `SELECT m.id, m.content, m.created_at, u.username, u.display_name
     FROM akashi_chat.messages m
     JOIN akashi_auth.profiles u ON m.user_id = u.id
     WHERE m.room_id = $1
       AND m.is_deleted = false
       AND m.created_at >= $2
     ORDER BY m.created_at DESC
     LIMIT 50`,
    [room.id, new Date(Date.now() - 86_400_000)],
  )
  expect(rows.map(({ content }) => content)).toEqual(Array.from({ length: 50 }, (_, at) => `${59 - at}`))
  const page = await chat.readHistory(app, aoi.actor, room.id, { limit: 51 })
  const shown = page.messages.filter(({ isDeleted }) => !isDeleted).reverse()
  expect(rows.map(({ id, username }) => [id, username])).toEqual(
    shown.map(({ id, author }) => [id, author?.username]),
  )
})

it('people active in the last half hour', async () => {
  const ken = await makePerson(database, app, 'ken')
  await database.asSuperuser((session) =>
    session.query(
      `insert into akashi_auth.user_sessions (user_id, session_token_hash, status, last_activity, expires_at) values
         ($1, sha256('a'), 'online', now(), now() + interval '1 day'),
         ($1, sha256('b'), 'away', now(), now() + interval '1 day'),
         ($2, sha256('c'), 'online', now() - interval '31 minutes', now() + interval '1 day')`,
      [aoi.id, ken.id],
    ),
  )
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ count: number }>(
      `SELECT COUNT(DISTINCT us.user_id)::int as count
       FROM akashi_auth.user_sessions us
       WHERE us.status IN ('online', 'away')
         AND us.last_activity > NOW() - INTERVAL '30 minutes'`,
    ),
  )
  expect(rows[0]?.count).toBe(1)
  expect(await chat.activeUserCount(app, aoi.actor)).toBe(1)
})

it('members of a room, by an index over the room', async () => {
  const query = `SELECT p.username, rm.role FROM akashi_chat.room_members rm JOIN akashi_auth.profiles p ON p.id = rm.user_id
    WHERE rm.room_id = $1 AND rm.is_active = true ORDER BY rm.joined_at`
  expect(await aoi.ask(query, [room.id])).toEqual([{ username: aoi.username, role: 'owner' }])
  const plan = await database.asSuperuser(async (session) => {
    await session.query('set enable_seqscan = off')
    return await session.query<Record<string, string>>(`explain ${query}`, [room.id])
  })
  expect(plan.rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(
    /Index Scan using room_members_room\w+ on/,
  )
})

it('counts no more statements and partitions for a long room than for a short one', async () => {
  const plan = await aoi.act(async (session) => {
    // A table this small is read whole rather.
    await session.query('set local enable_seqscan = off')
    return session.query<Record<string, string>>(
      `explain select * from akashi_chat.messages m where m.room_id = $1 and m.created_at < 'infinity' order by m.created_at desc limit 50`,
      [room.id],
    )
  })
  const text = plan.rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(text).toMatch(/Index Scan (Backward )?using messages_\d{4}_\d\d_room_id_created_at_idx/)
  expect(text).toContain('InitPlan')
  expect(text).not.toContain('Sort')
})
