import { beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import type { Session } from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const NAMES = 4_000

const database = testDatabase()
const app = database.open('app')
let aoi: Person
/** A private room of Aoi's with 200 of the people. */
let team: string
const people: { id: string; username: string; displayName: string | null }[] = []
const rooms: { id: string; name: string; description: string | null }[] = []

// Full and half width, composed and not, upper and lower case.
const syllables = [
  '東京',
  '大阪',
  'がく',
  'ガク',
  'ｶﾞｸ',
  'カ\u3099ク',
  'サーバー',
  'ｻｰﾊﾞｰ',
  'Ａkashi',
  'akashi',
  'É',
  'e\u0301',
  '㍿',
  '証',
  '〜',
  '～',
  ' ',
  '-',
  'Q1',
]
let seed = 20_271_129
const pick = (limit: number) => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
  return Math.floor((seed / 2_147_483_648) * limit)
}
const words = (longest: number) =>
  Array.from({ length: 1 + pick(longest) }, () => syllables[pick(syllables.length)]).join('')

/** Of the words, what a username may have. */
const usernameOf = (text: string) =>
  text
    .normalize('NFKC')
    .replaceAll(/[〜~]/g, '')
    .replaceAll(/ {2,}/g, ' ')
    .replace(/^[ -]+/, '')
    .padStart(3, 'x')

/** What a search without an index would compare. */
const folded = (text: string) => text.normalize('NFKC').toLowerCase().replaceAll('〜', '~')
const contains = (query: string, ...names: readonly (string | null)[]) => {
  const text = folded(names.map((name) => name ?? '').join('\n'))
  return folded(query)
    .split(/\s+/)
    .every((term) => text.includes(term))
}

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  team = (await chat.createRoom(app, aoi.actor, { name: 'team', type: 'private' })).id
  for (let at = 0; at < NAMES; at += 1) {
    people.push({
      id: crypto.randomUUID(),
      username: usernameOf(`${words(2)} ${at}`),
      displayName: at % 3 === 0 ? null : `a${words(4)}`,
    })
    rooms.push({
      id: crypto.randomUUID(),
      name: `${words(3)}${at}`,
      description: at % 2 === 0 ? null : `b${words(6)}`,
    })
  }
  await database.asSuperuser(async (session) => {
    await session.query(
      `insert into akashi_auth.users (id, subject, username, email, display_name, account_status)
       select p.id, p.id, p.username, p.id || $$@example.com$$, p."displayName", case when p.username like '%7' then 'suspended' else 'active' end
       from jsonb_to_recordset($1) as p (id uuid, username text, "displayName" text)`,
      [JSON.stringify(people)],
    )
    await session.query(
      `insert into akashi_chat.rooms (id, name, description, room_type, is_active, is_deleted)
       select r.id, r.name, r.description, case when r.name like '%3' then 'private' else 'public' end, r.name not like '%5', r.name like '%8'
       from jsonb_to_recordset($1) as r (id uuid, name text, description text)`,
      [JSON.stringify(rooms)],
    )
    await session.query(
      'insert into akashi_chat.room_members (room_id, user_id, role) select $1, unnest($2::uuid[]), $3',
      [team, people.slice(0, 200).map(({ id }) => id), 'member'],
    )
    await session.query('analyze akashi_auth.users, akashi_chat.rooms')
  })
})

const queries = Array.from({ length: 60 }, () => words(3))

/** Every id that the search shows, however many pages it takes. */
async function all<T>(search: (session: Session) => Promise<readonly T[]>) {
  return await aoi.act(search)
}

describe('a search for people', () => {
  const found = (query: string, among: readonly string[] | null = null) =>
    all(async (session) =>
      (
        await session.query<{ id: string }>('select id from akashi_auth.search_people($1, $2, 200)', [
          query,
          among,
        ])
      ).rows.map(({ id }) => id),
    )
  const expected = (query: string) =>
    people.filter(
      ({ username, displayName }) => !username.endsWith('7') && contains(query, username, displayName),
    )

  it('finds whoever a comparison of every name finds', async () => {
    let matches = 0
    for (const query of [...queries, '3', '12', '345', 'がく', 'ｶﾞ', 'É', 'é', '京 ak', '証 q']) {
      const ids = new Set(await found(query))
      const wanted = expected(query).map(({ id }) => id)
      expect(ids.size, query).toBe(Math.min(wanted.length, 200))
      for (const id of ids) expect(wanted, query).toContain(id)
      matches += ids.size
    }
    expect(matches).toBeGreaterThan(1_000)
  })

  it('shows the members of a room only, where a room is given', async () => {
    const members = people.slice(0, 200).map(({ id }) => id)
    const inRoom = await chat.findPeople(app, aoi.actor, { matching: '京', roomId: team, limit: 200 })
    expect(inRoom.map(({ id }) => id).sort()).toEqual(
      expected('京')
        .map(({ id }) => id)
        .filter((id) => members.includes(id))
        .sort(),
    )
    expect(inRoom.length).toBeGreaterThan(5)
    const ken = await makePerson(database, app, 'ken')
    expect(await chat.findPeople(app, ken.actor, { matching: '京', roomId: team, limit: 200 })).toEqual([])
  })

  it('begins with the names that begin with the query', async () => {
    const names = (await chat.findPeople(app, aoi.actor, { matching: 'AO' })).map(({ username }) => username)
    expect(names[0]).toBe('aoi')
  })

  it('takes 10 words', async () => {
    await expect(found('a b c d e f g h i j k')).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

describe('a search for public rooms', () => {
  const found = async (query: string) => {
    const ids: string[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await chat.publicRooms(app, aoi.actor, { matching: query, cursor, limit: 100 })
      ids.push(...page.rooms.map(({ id }) => id))
      cursor = page.next
    }
    return ids
  }

  it('finds whichever a comparison of every name and description finds', async () => {
    let matches = 0
    for (const query of [...queries, '3', '12', '342', 'ｶﾞ', 'é']) {
      const wanted = rooms.filter(
        ({ name, description }) => !/[358]$/.test(name) && contains(query, name, description),
      )
      expect((await found(query)).sort(), query).toEqual(wanted.map(({ id }) => id).sort())
      matches += wanted.length
    }
    expect(matches).toBeGreaterThan(1_000)
  })
})

describe.each([
  [
    'akashi_auth.users',
    'akashi_auth.users_names_idx',
    'select count(*)::int as found from akashi_auth.search_people($1)',
  ],
  [
    'akashi_chat.rooms',
    'akashi_chat.rooms_names_idx',
    'select count(*)::int as found from akashi_chat.public_rooms($1)',
  ],
])('the names of %s', (table, index, search) => {
  const scans =
    'select pg_catalog.pg_stat_get_xact_numscans($1::regclass)::int as index, pg_catalog.pg_stat_get_xact_numscans($2::regclass)::int as table'

  it.each(['1234', 'ｶﾞｸ東京証', 'ー大阪'])('are found by the index: %s', async (query) => {
    const { found, before, after } = await aoi.act(async (session) => {
      const counted = async () =>
        (await session.query<{ index: number; table: number }>(scans, [index, table])).rows[0]
      const before = await counted()
      const { rows } = await session.query<{ found: number }>(search, [query])
      return { found: rows[0]?.found, before, after: await counted() }
    })
    expect(found).toBeGreaterThan(0)
    expect(after).toEqual({ index: (before?.index ?? 0) + 1, table: before?.table })
  })
})
