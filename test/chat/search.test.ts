import { randomBytes } from 'node:crypto'
import { type Message, operations, type Room, type SearchPage } from '@akashi/contract'
import { beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { migrateUp, openDatabase } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { MIGRATIONS } from '../support/settings.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const app = database.open('app')
let aoi: Person
let ken: Person
let mine: Room
let closed: Room

const alphabet = [...'東京大阪会議資料確認のですますサーバーｻｰﾊﾞｰ鍵Ａb C証']
/** A small generator with a seed of its own, so that a failure repeats. */
let seed = 20_261_121
const pick = (limit: number) => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
  return Math.floor((seed / 2_147_483_648) * limit)
}
const words = (longest: number) => {
  const text = Array.from({ length: 1 + pick(longest) }, () => alphabet[pick(alphabet.length)])
    .join('')
    .trim()
  return text === '' ? '証' : text
}

const find = async (person: Person, query: Record<string, unknown>) =>
  await chat.searchMessages(app, person.actor, operations['GET /v1/chat/search'].query.parse(query))
const contents = ({ messages }: SearchPage) => messages.map(({ content }) => content)

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  ken = await makePerson(database, app, 'ken')
  mine = await chat.createRoom(app, aoi.actor, { name: 'mine' })
  closed = await chat.createRoom(app, ken.actor, { name: 'closed', type: 'private' })
})

describe('search', () => {
  it('finds all that a scan finds, for words of one character and more, newest first', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'random' })
    for (let at = 0; at < 300; at += 1)
      await chat.postMessage(app, aoi.actor, room.id, { content: words(12) })
    // Two thirds go to another month.
    await database.asSuperuser(async (session) => {
      await session.query(
        `select akashi_lifecycle.create_partition('akashi_chat.messages', now() - interval '2 months')`,
      )
      await session.query('alter table akashi_chat.messages disable trigger all')
      await session.query(
        `update akashi_chat.messages set id = akashi_chat.message_id(created_at - interval '2 months'), created_at = created_at - interval '2 months'
         where room_id = $1 and sequence % 3 <> 0`,
        [room.id],
      )
      await session.query('alter table akashi_chat.messages enable trigger all')
    })
    let found = 0
    for (let at = 0; at < 120; at += 1) {
      const q = words(4)
      const expected = await database.asSuperuser(async (session) =>
        (
          await session.query<{ id: string }>(
            `select id from akashi_chat.messages m where m.room_id = $1 and not exists (
                 select from regexp_split_to_table(lower(normalize($2, nfkc)), '\\s+') as w
                 where w <> '' and strpos(lower(normalize(m.content, nfkc)), w) = 0)
               order by created_at desc limit 100`,
            [room.id, q],
          )
        ).rows.map(({ id }) => id),
      )
      const { messages } = await find(aoi, { q, roomId: room.id, limit: '100' })
      expect(
        messages.map(({ id }) => id),
        q,
      ).toEqual(expected)
      found += expected.length
    }
    expect(found).toBeGreaterThan(500)
  })

  it('folds width and case', async () => {
    await chat.postMessage(app, aoi.actor, mine.id, { content: 'ｻｰﾊﾞｰのＡＰＩ Key' })
    expect(contents(await find(aoi, { q: 'サーバー' }))).toContain('ｻｰﾊﾞｰのＡＰＩ Key')
    expect(contents(await find(aoi, { q: 'api key' }))).toContain('ｻｰﾊﾞｰのＡＰＩ Key')
    expect(contents(await find(aoi, { q: 'ｋ' }))).toContain('ｻｰﾊﾞｰのＡＰＩ Key')
  })

  it('looks only where the caller may look', async () => {
    await chat.postMessage(app, ken.actor, closed.id, { content: '極秘の合併' })
    expect(contents(await find(ken, { q: '極秘' }))).toEqual(['極秘の合併'])
    expect(contents(await find(aoi, { q: '極秘' }))).toEqual([])
    expect(contents(await find(aoi, { q: '極秘', roomId: closed.id }))).toEqual([])
    await expect(
      chat.searchMessages(app, tester, operations['GET /v1/chat/search'].query.parse({ q: '極秘' })),
    ).rejects.toMatchObject({
      code: 'forbidden',
    })
  })

  it('finds no deleted words, nor the former ones of an edit', async () => {
    const gone = await chat.postMessage(app, aoi.actor, mine.id, { content: '消える言葉' })
    const edited = await chat.postMessage(app, aoi.actor, mine.id, { content: '古い言葉' })
    await chat.deleteMessage(app, aoi.actor, gone.id)
    await chat.editMessage(app, aoi.actor, edited.id, { content: '新しい言葉' })
    expect(contents(await find(aoi, { q: '言葉' }))).toEqual(['新しい言葉'])
  })

  it('narrows by sender and time, and goes on page by page', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'narrow' })
    await chat.joinRoom(app, ken.actor, room.id)
    const sent: Message[] = []
    for (let at = 0; at < 5; at += 1) {
      sent.push(
        await chat.postMessage(app, at % 2 === 0 ? aoi.actor : ken.actor, room.id, { content: `番号 ${at}` }),
      )
    }
    expect(contents(await find(aoi, { q: '番号', senderId: ken.id }))).toEqual(['番号 3', '番号 1'])
    expect(contents(await find(aoi, { q: '番号', to: sent[2]?.createdAt }))).toEqual(['番号 1', '番号 0'])
    expect(contents(await find(aoi, { q: '番号', from: sent[3]?.createdAt }))).toEqual(['番号 4', '番号 3'])
    const first = await find(aoi, { q: '番号', limit: '2' })
    expect(contents(first)).toEqual(['番号 4', '番号 3'])
    const second = await find(aoi, { q: '番号', limit: '3', before: first.next })
    expect(contents(second)).toEqual(['番号 2', '番号 1', '番号 0'])
    expect(second.next).toBeNull()
  })

  it('leaves none out where rooms have messages of the same millisecond', async () => {
    const rooms: Room[] = []
    for (let at = 0; at < 7; at += 1) {
      const room = await chat.createRoom(app, aoi.actor, { name: `same ${at}` })
      rooms.push(room)
      for (const count of [1, 2])
        await chat.postMessage(app, aoi.actor, room.id, { content: `同時 ${count}` })
    }
    await database.asSuperuser(async (session) => {
      await session.query('alter table akashi_chat.messages disable trigger all')
      await session.query(
        `with at as (select min(created_at) as first from akashi_chat.messages where content like '同時%')
         update akashi_chat.messages set id = akashi_chat.message_id(at.first), created_at = at.first from at where content like '同時%'`,
      )
      await session.query('alter table akashi_chat.messages enable trigger all')
    })
    // From the newest messages alone, and for most of them from the index.
    for (const recent of [2_000, 5, 1]) {
      for (const [room, there] of [
        [null, 14],
        [rooms[0]?.id, 2],
      ]) {
        for (const size of [1, 4, 14]) {
          const ids: string[] = []
          for (;;) {
            const page = await app.transaction(aoi.actor, (session) =>
              session.query<{ id: string }>(
                `select akashi_chat.search_messages('同時', $1, before_message => $2, page_size => $3, recent_rows => $4) as id`,
                [room, ids.at(-1) ?? null, size, recent],
              ),
            )
            if (page.rows.length === 0) break
            ids.push(...page.rows.map(({ id }) => id))
          }
          expect(ids).toHaveLength(Number(there))
          expect(new Set(ids).size).toBe(there)
          expect(ids).toEqual([...ids].sort().reverse())
        }
      }
    }
  })

  it.each([
    ['10時\u301c12時', '10時\uff5e12時'],
    ['温度\u22125度', '温度\uff0d5度'],
    ['終わり\u2014次', '終わり\u2015次'],
  ])('finds what another system writes with another character: %s', async (one, other) => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'dashes' })
    for (const content of [one, other]) await chat.postMessage(app, aoi.actor, room.id, { content })
    for (const q of [one, other])
      expect(contents(await find(aoi, { q, roomId: room.id }))).toEqual([other, one])
  })

  it('refuses what is no query', async () => {
    expect(operations['GET /v1/chat/search'].query.safeParse({ q: '   ' }).success).toBe(false)
    await expect(find(aoi, { q: '1 2 3 4 5 6 7 8 9 10 11' })).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

it('refuses a database whose LC_CTYPE knows no letters beyond ASCII', async () => {
  const name = `test_${randomBytes(8).toString('hex')}`
  const url = new URL(database.url('owner'))
  const ask = (text: string) => database.asSuperuser((session) => session.query(text))
  await ask(`create database ${name} template template0 locale_provider libc locale 'C'`)
  url.pathname = `/${name}`
  try {
    await migrateUp({ url: url.href, directory: MIGRATIONS })
    const plain = openDatabase({ url: url.href, role: 'owner' })
    await expect(
      plain.direct((session) => session.query(`select akashi_chat.searchable('資料')`)),
    ).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('LC_CTYPE'),
    })
    await plain.close()
  } finally {
    await ask(`drop database ${name} with (force)`)
  }
})
