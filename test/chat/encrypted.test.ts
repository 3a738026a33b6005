/** Encrypted rooms over real connections, and what the database, trail, log and former members have of them. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Message, Room, RoomEvent } from '@akashi/contract'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import * as chat from '../../src/chat/index.ts'
import { eraseUser } from '../../src/identity/index.ts'
import { openRoomVault, personKeyId } from '../../src/keys/index.ts'
import { person, system } from '../../src/postgres/index.ts'
import { type Browser, testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const server = testServer(database)
const app = database.open('app')
const worker = database.open('worker')
const logged: string[] = []
const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
const bus = chat.localBus()

let feed: chat.Feed
let http: ReturnType<typeof server.app>
let host = ''
const ids: Record<string, string> = {}
const browsers: Record<string, Browser> = {}

beforeAll(async () => {
  const secrets = new chat.RoomSecrets({ app, vault: openRoomVault(server.keyring()), log })
  feed = chat.openFeed({ app, worker, bus, secrets, log })
  http = server.app({}, { chat: { bus, feed }, roomSecrets: secrets, log })
  await http.listen({ host: '127.0.0.1', port: 0 })
  host = `127.0.0.1:${(http.server.address() as AddressInfo).port}`
  for (const name of ['aoi', 'ken', 'mio']) {
    ids[name] = await server.user(name)
    const browser = server.browser(http)
    await browser.signIn(name)
    browsers[name] = browser
  }
})
afterAll(async () => {
  await http.close()
  await feed.close()
})

function by(name: string): Browser {
  const browser = browsers[name]
  if (browser === undefined) throw new Error(`${name} is nobody`)
  return browser
}

async function encryptedRoom(owner = 'aoi', ...others: string[]): Promise<string> {
  const made = await by(owner).send('POST', '/v1/chat/rooms', {
    name: 'sealed',
    type: 'private',
    isEncrypted: true,
  })
  expect(made.statusCode).toBe(201)
  const { id, isEncrypted } = made.json<Room>()
  expect(isEncrypted).toBe(true)
  for (const other of others) await join(owner, id, other)
  return id
}

async function join(owner: string, room: string, other: string): Promise<void> {
  const invited = await by(owner).send('POST', `/v1/chat/rooms/${room}/invitations`, { userId: ids[other] })
  expect(invited.statusCode).toBe(201)
  const accepted = await by(other).send('POST', `/v1/chat/invitations/${invited.json().id}/accept`)
  expect(accepted.statusCode).toBe(200)
}

async function say(who: string, room: string, content: string, more: object = {}): Promise<Message> {
  const sent = await by(who).send('POST', `/v1/chat/rooms/${room}/messages`, { content, ...more })
  expect(sent.statusCode).toBe(201)
  return sent.json<Message>()
}

async function history(who: string, room: string): Promise<Message[]> {
  return (await by(who).send('GET', `/v1/chat/rooms/${room}/messages`)).json().messages
}

/** Tables of Akashi in which some row holds the text. */
async function tablesWith(text: string): Promise<string[]> {
  return await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname like 'akashi%' and c.relkind = 'r'`,
    )
    const found: string[] = []
    for (const { name } of rows) {
      const { rows: hits } = await session.query(
        `select from ${name} t where position($1 in t::text) > 0 limit 1`,
        [text],
      )
      if (hits.length > 0) found.push(name)
    }
    return found
  })
}

const copies = (room: string) =>
  database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ id: string }>(
      'select user_id as id from akashi_chat.room_keys where room_id = $1 order by created_at',
      [room],
    )
    return rows.map(({ id }) => Object.keys(ids).find((name) => ids[name] === id))
  })

describe('an encrypted room', () => {
  it('is read by its members, and by nothing that the database holds', async () => {
    const room = await encryptedRoom('aoi', 'ken')
    const secret = `kumquat-${randomUUID()}`
    const first = await say('aoi', room, `${secret} 秘密`, { mentions: [ids['ken']] })
    expect(first).toMatchObject({ content: `${secret} 秘密`, isEncrypted: true, unreadable: null })
    const reply = await say('ken', room, `re ${secret}`, { replyToId: first.id })
    expect(reply.replyTo?.content).toBe(`${secret} 秘密`)
    expect((await history('ken', room)).map(({ content }) => content)).toEqual([
      `${secret} 秘密`,
      `re ${secret}`,
    ])
    const edited = await by('aoi').send('PATCH', `/v1/chat/messages/${first.id}`, {
      content: `${secret} edited`,
    })
    expect(edited.json()).toMatchObject({ content: `${secret} edited`, isEdited: true })
    expect((await by('ken').send('GET', `/v1/chat/messages/${first.id}/edits`)).json().edits).toMatchObject([
      { previousContent: `${secret} 秘密` },
    ])
    expect((await by('ken').send('GET', `/v1/chat/messages/${first.id}`)).json().content).toBe(
      `${secret} edited`,
    )
    const { rooms } = (await by('ken').send('GET', '/v1/chat/rooms')).json<{ rooms: Room[] }>()
    expect(rooms.find(({ id }) => id === room)?.lastMessage?.content).toBe(`re ${secret}`)
    const { notifications } = (await by('ken').send('GET', '/v1/chat/notifications')).json()
    expect(notifications[0]).toMatchObject({ type: 'mention', preview: `${secret} edited` })
    const { events } = (await by('ken').send('GET', `/v1/chat/rooms/${room}/events?after=0`)).json()
    expect(events.map(({ message }: RoomEvent) => message?.content ?? null)).toContain(`re ${secret}`)
    expect(await tablesWith(secret)).toEqual([])
    expect(logged.join('')).not.toContain(secret)
  })

  it('tells its members over their sockets', async () => {
    const room = await encryptedRoom('aoi', 'ken')
    const cookie = [...by('ken').cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const socket = new WebSocket(`ws://${host}/v1/chat/socket`, { headers: { cookie } })
    const heard: { type: string; event?: RoomEvent; result?: unknown; id?: string }[] = []
    socket.on('message', (data) => void heard.push(JSON.parse(String(data))))
    await once(socket, 'open')
    socket.send(JSON.stringify({ type: 'subscribe', id: '1', roomId: room }))
    await vi.waitFor(() => expect(heard.some(({ type }) => type === 'subscribed')).toBe(true), 20_000)
    await say('aoi', room, 'through HTTP')
    socket.send(
      JSON.stringify({ type: 'send', id: '2', roomId: room, message: { content: 'through the socket' } }),
    )
    await vi.waitFor(
      () =>
        expect(heard.flatMap(({ event }) => event?.message?.content ?? [])).toEqual([
          'through HTTP',
          'through the socket',
        ]),
      20_000,
    )
    // Read by another server, whose listener has to open it.
    await database.asSuperuser((session) =>
      session.query(
        `select akashi_chat.append_event($1, 'message_edited', (select id from akashi_chat.messages where room_id = $1 order by created_at limit 1), null)`,
        [room],
      ),
    )
    await vi.waitFor(
      () =>
        expect(heard.at(-1)?.event).toMatchObject({
          type: 'message_edited',
          message: { content: 'through HTTP' },
        }),
      20_000,
    )
    socket.close()
  })

  it('gives the same message for the same clientId, and changes nothing for the same text', async () => {
    const room = await encryptedRoom()
    const clientId = randomUUID()
    const first = await say('aoi', room, 'once', { clientId })
    expect(await say('aoi', room, 'once', { clientId })).toMatchObject({ id: first.id, content: 'once' })
    const same = await by('aoi').send('PATCH', `/v1/chat/messages/${first.id}`, { content: 'once' })
    expect(same.json()).toMatchObject({ isEdited: false })
    expect(await history('aoi', room)).toHaveLength(1)
    for (const content of ['', 'x'.repeat(4_001)]) {
      const refused = await by('aoi').send('POST', `/v1/chat/rooms/${room}/messages`, { content })
      expect(refused.statusCode).toBe(400)
    }
    expect((await say('aoi', room, '証'.repeat(4_000))).content).toHaveLength(4_000)
  })

  it('is not searched, and says so', async () => {
    const room = await encryptedRoom('mio')
    await say('mio', room, 'findable?')
    const everywhere = await by('mio').send('GET', '/v1/chat/search?q=findable')
    expect(everywhere.json()).toMatchObject({ messages: [], encryptedRooms: 1 })
    const here = await by('mio').send('GET', `/v1/chat/search?q=findable&roomId=${room}`)
    expect(here.statusCode).toBe(409)
    expect(here.json().detail).toBe('an encrypted room cannot be searched')
    // Nor by a word of the format.
    expect((await by('mio').send('GET', '/v1/chat/search?q=room1')).json().messages).toEqual([])
  })

  it('takes no files and stays private', async () => {
    const room = await encryptedRoom()
    const file = await by('aoi').send('POST', `/v1/chat/rooms/${room}/files?name=a.txt`, {
      not: 'really a file',
    })
    expect(file.statusCode).toBe(409)
    const withFile = await by('aoi').send('POST', `/v1/chat/rooms/${room}/messages`, {
      content: '',
      fileId: randomUUID(),
    })
    expect(withFile.statusCode).toBe(409)
    const opened = await by('aoi').send('PATCH', `/v1/chat/rooms/${room}`, { type: 'public' })
    expect(opened.statusCode).toBe(409)
    const asPublic = await by('aoi').send('POST', '/v1/chat/rooms', { name: 'open', isEncrypted: true })
    expect(asPublic.statusCode).toBe(400)
  })

  it('gives a copy of its key to whoever is invited, and takes it back', async () => {
    const room = await encryptedRoom('aoi', 'ken')
    expect(await copies(room)).toEqual(['aoi', 'ken'])
    const { id } = (
      await by('aoi').send('POST', `/v1/chat/rooms/${room}/invitations`, { userId: ids['mio'] })
    ).json()
    expect(await copies(room)).toEqual(['aoi', 'ken', 'mio'])
    // Invited, and no member yet.
    const pending = await app.transaction(person({ userId: ids['mio'] ?? '' }), (session) =>
      session.query('select from akashi_chat.room_keys where room_id = $1', [room]),
    )
    expect(pending.rowCount).toBe(0)
    await by('mio').send('POST', `/v1/chat/invitations/${id}/decline`)
    expect(await copies(room)).toEqual(['aoi', 'ken'])
    await say('aoi', room, 'before he left')
    await by('ken').send('POST', `/v1/chat/rooms/${room}/leave`)
    expect(await copies(room)).toEqual(['aoi'])
    for (const path of [`rooms/${room}/messages`, `rooms/${room}/events?after=0`]) {
      expect((await by('ken').send('GET', `/v1/chat/${path}`)).body).not.toContain('before he left')
    }
    const back = await by('ken').send('POST', `/v1/chat/rooms/${room}/messages`, { content: 'still here?' })
    expect(back.statusCode).toBe(404)
    await join('aoi', room, 'ken')
    expect((await history('ken', room)).map(({ content }) => content)).toEqual(['before he left'])
  })

  it('makes no key for an id that is nobody', async () => {
    const room = await encryptedRoom()
    const nobody = randomUUID()
    const refused = await by('aoi').send('POST', `/v1/chat/rooms/${room}/invitations`, { userId: nobody })
    expect(refused.statusCode).toBe(404)
    expect(await server.keyring().state(personKeyId(nobody))).toBe('unknown')
  })

  it('is opened by a copy of its own room and member only', async () => {
    const room = await encryptedRoom('aoi', 'ken')
    const other = await encryptedRoom('ken')
    await say('aoi', room, 'for members')
    // Somebody who writes the tables moves copies: to another person, and to another room.
    await database.asSuperuser(async (session) => {
      await session.query(
        `update akashi_chat.room_keys k set wrapped = (select a.wrapped from akashi_chat.room_keys a where a.room_id = $1 and a.user_id = $2)
         where k.room_id = $1 and k.user_id = $3`,
        [room, ids['aoi'], ids['ken']],
      )
    })
    const read = await by('ken').send('GET', `/v1/chat/rooms/${room}/messages`)
    expect(read.json().messages).toMatchObject([{ content: '', unreadable: 'damaged' }])
    const write = await by('ken').send('POST', `/v1/chat/rooms/${room}/messages`, { content: 'mine' })
    expect(write.statusCode).toBe(404)
    expect((await by('ken').send('GET', `/v1/chat/rooms/${other}/messages`)).statusCode).toBe(200)
  })

  it('tells a message that was changed or moved, and shows the others', async () => {
    const room = await encryptedRoom()
    const [one, two] = [await say('aoi', room, 'one'), await say('aoi', room, 'two')]
    await say('aoi', room, 'three')
    const content = (id: string) =>
      database.asSuperuser(async (session) => {
        const { rows } = await session.query<{ content: string }>(
          'select content from akashi_chat.messages where id = $1',
          [id],
        )
        return rows[0]?.content ?? ''
      })
    // The row's own id in front, as the constraint demands, of what another row says.
    const moved = (await content(two.id)).replace(two.clientId ?? '', one.clientId ?? '')
    await database.asSuperuser((session) =>
      session.query('update akashi_chat.messages set content = $2 where id = $1', [one.id, moved]),
    )
    expect((await history('aoi', room)).map(({ content, unreadable }) => [content, unreadable])).toEqual([
      ['', 'damaged'],
      ['two', null],
      ['three', null],
    ])
    // Not even the owner of the tables stores a text of another form, or that of another row.
    for (const text of ['plain', await content(two.id), `room1.${one.clientId}.AAAA`]) {
      await expect(
        database.asSuperuser((session) =>
          session.query('update akashi_chat.messages set content = $2 where id = $1', [one.id, text]),
        ),
      ).rejects.toThrow()
    }
    await expect(
      database.asSuperuser((session) =>
        session.query(
          "update akashi_chat.messages set content_encrypted = false, content = 'plain' where id = $1",
          [one.id],
        ),
      ),
    ).rejects.toThrow()
  })

  it('is not read in a review', async () => {
    const room = await encryptedRoom()
    await say('aoi', room, 'not for auditors')
    const securityAdmin = database.open('security_admin')
    const reviewed = await chat.reviewRoom(securityAdmin, system('test'), {
      roomId: room,
      reason: 'an incident of today',
      limit: 10,
    })
    expect(reviewed).toMatchObject([{ content: '', isEncrypted: true }])
  })

  it('loses a member who is erased, and keeps what the others said', async () => {
    const userId = await server.user('rin')
    ids['rin'] = userId
    const browser = server.browser(http)
    await browser.signIn('rin')
    browsers['rin'] = browser
    const room = await encryptedRoom('aoi', 'rin')
    await say('rin', room, 'hers')
    await say('aoi', room, 'his')
    await eraseUser({ database: database.open('owner'), keyring: server.keyring() }, system('test'), userId, {
      confirm: userId,
      reason: 'asked for it',
    })
    expect(await copies(room)).toEqual(['aoi'])
    expect((await history('aoi', room)).map(({ content, isDeleted }) => [content, isDeleted])).toEqual([
      ['', true],
      ['his', false],
    ])
  })

  it('is erased with its key, in every copy of the database', async () => {
    const room = await encryptedRoom('aoi', 'ken')
    await say('aoi', room, 'gone for good')
    const kept = await database.asSuperuser(async (session) => ({
      keys: (await session.query('select * from akashi_chat.room_keys where room_id = $1', [room])).rows,
    }))
    expect((await by('ken').send('DELETE', `/v1/chat/rooms/${room}`)).statusCode).toBe(403)
    expect((await by('aoi').send('DELETE', `/v1/chat/rooms/${room}`)).statusCode).toBe(204)
    expect(await copies(room)).toEqual([])
    // Restored from a backup, with the copies of the key.
    await database.asSuperuser(async (session) => {
      await session.query('update akashi_chat.rooms set is_deleted = false, is_active = true where id = $1', [
        room,
      ])
      for (const { user_id, wrapped } of kept.keys) {
        await session.query(
          'insert into akashi_chat.room_keys (room_id, user_id, wrapped) values ($1, $2, $3)',
          [room, user_id, wrapped],
        )
      }
    })
    expect(await history('aoi', room)).toMatchObject([
      { content: '', unreadable: 'erased', isDeleted: false },
    ])
    expect(
      (await by('aoi').send('POST', `/v1/chat/rooms/${room}/messages`, { content: 'again' })).statusCode,
    ).toBe(404)
  })

  it('has its key destroyed by the job where the server could not, and is kept under legal hold', async () => {
    const room = await encryptedRoom()
    const vault = openRoomVault(server.keyring())
    const hold = (held: boolean) =>
      database.asSuperuser((session) =>
        session.query(
          "update akashi_lifecycle.policies set legal_hold = $1 where schema_name = 'akashi_chat' and table_name = 'messages'",
          [held],
        ),
      )
    await hold(true)
    const refused = await by('aoi').send('DELETE', `/v1/chat/rooms/${room}`)
    expect([refused.statusCode, refused.json().detail]).toEqual([409, 'the room is under legal hold'])
    await hold(false)
    // Deleted without the keyring at hand.
    await chat.deleteRoom(app, person({ userId: ids['aoi'] ?? '' }), room)
    const copy = await vault.create(room, ids['aoi'] ?? '')
    expect(await vault.open(room, ids['aoi'] ?? '', copy)).not.toBeNull()
    expect(await chat.forgetRooms(worker, system('test'), vault)).toBeGreaterThan(0)
    expect(await vault.open(room, ids['aoi'] ?? '', copy)).toBeNull()
    expect(await chat.forgetRooms(worker, system('test'), vault)).toBe(0)
    await expect(vault.create(room, ids['aoi'] ?? '')).rejects.toMatchObject({ code: 'conflict' })
  })
})
