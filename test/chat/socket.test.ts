import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { RoomEvent } from '@akashi/contract'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import * as chat from '../../src/chat/index.ts'
import { overSocket } from '../http/client.ts'
import { type Browser, testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const server = testServer(database)
const app = database.open('app')
const worker = database.open('worker')
const log = pino({ level: 'silent' })

interface Node {
  readonly http: ReturnType<typeof server.app>
  readonly host: string
  /** Whoever began to listen, in order. */
  readonly listeners: readonly chat.Listener[]
  close(): Promise<void>
}

async function node(): Promise<Node> {
  const bus = chat.localBus()
  const opened = chat.openFeed({ app, worker, bus, log })
  const listeners: chat.Listener[] = []
  const feed: chat.Feed = {
    ...opened,
    subscribe: (roomId, listener, after) => {
      listeners.push(listener)
      return opened.subscribe(roomId, listener, after)
    },
  }
  const http = server.app({}, { chat: { bus, feed } })
  await http.listen({ host: '127.0.0.1', port: 0 })
  const { port } = http.server.address() as AddressInfo
  return {
    http,
    host: `127.0.0.1:${port}`,
    listeners,
    close: async () => {
      await http.close()
      await feed.close()
    },
  }
}

type Frame = Record<string, unknown> & { readonly type: string }

/** A client that keeps what it hears. */
class Client {
  readonly frames: Frame[] = []
  closed: number | undefined
  readonly #socket: WebSocket
  #requests = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => void this.frames.push(JSON.parse(String(data))))
    socket.on('close', (code) => {
      this.closed = code
    })
  }

  static async open(at: Node, browser: Browser, headers: Record<string, string> = {}): Promise<Client> {
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const socket = new WebSocket(`ws://${at.host}/v1/chat/socket`, { headers: { cookie, ...headers } })
    const client = new Client(socket)
    await once(socket, 'open')
    return client
  }

  async ask(frame: Record<string, unknown>): Promise<Frame> {
    this.#requests += 1
    const id = String(this.#requests)
    this.#socket.send(JSON.stringify({ ...frame, id }))
    return await vi.waitFor(() => {
      const answer = this.frames.find((heard) => heard['id'] === id)
      if (answer === undefined) throw new Error('no answer yet')
      return answer
    }, 20_000)
  }

  raw(text: string): void {
    this.#socket.send(text)
  }

  events(): RoomEvent[] {
    return this.frames.filter(({ type }) => type === 'event').map(({ event }) => event as RoomEvent)
  }

  /** Reads no more from the connection, as a client whose line is too thin. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#socket.close()
  }
}

let one: Node
let two: Node
let aoi: Browser
let ken: Browser
let kenId: string

beforeAll(async () => {
  one = await node()
  two = await node()
  await server.user('aoi')
  kenId = await server.user('ken')
  aoi = server.browser(one.http)
  ken = server.browser(two.http)
  await aoi.signIn('aoi')
  await ken.signIn('ken')
})
afterAll(async () => {
  await one.close()
  await two.close()
})

async function roomOfBoth(): Promise<string> {
  const { id } = (await aoi.send('POST', '/v1/chat/rooms', { name: 'both' })).json()
  expect((await ken.send('POST', `/v1/chat/rooms/${id}/join`)).statusCode).toBe(204)
  return id
}

/** So many messages of some 12 KB each at once, stored as another node would have: only looking finds them. */
async function flood(room: string, count: number): Promise<void> {
  await database.asSuperuser((session) =>
    session.query(
      `with turn as (
         update akashi_chat.room_sequences set last_sequence = last_sequence + $2 where room_id = $1 returning last_sequence - $2 as before),
       made as (
         insert into akashi_chat.messages (id, room_id, sequence, content, message_type, created_at)
         select akashi_chat.message_id(t.at), $1, turn.before + n, repeat('証', 4000), 'system', t.at
         from turn, generate_series(1, $2::int) n, lateral (select date_trunc('milliseconds', clock_timestamp()) - ($2 - n) * interval '1 ms' as at) t
         returning id, sequence)
       insert into akashi_chat.room_events (room_id, sequence, event_type, message_id) select $1, m.sequence, 'message_created', m.id from made m`,
      [room, count],
    ),
  )
}

describe('the socket', () => {
  it('carries a conversation between two nodes, whose HTTP does the same', async () => {
    const room = await roomOfBoth()
    const her = await Client.open(one, aoi)
    const his = await Client.open(two, ken)
    for (const client of [her, his]) {
      expect(await client.ask({ type: 'subscribe', roomId: room })).toMatchObject({ type: 'answer' })
      expect(client.frames).toContainEqual({ type: 'subscribed', roomId: room, sequence: 2, gap: false })
    }
    const sent = await her.ask({ type: 'send', roomId: room, message: { content: 'こんにちは' } })
    expect(sent['result']).toMatchObject({ content: 'こんにちは', sequence: 3 })
    const answer = await ken.send('POST', `/v1/chat/rooms/${room}/messages`, { content: 'hello' })
    expect(answer.statusCode).toBe(201)
    for (const client of [her, his]) {
      await vi.waitFor(
        () => expect(client.events().map(({ message }) => message?.content)).toEqual(['こんにちは', 'hello']),
        20_000,
      )
    }
    her.close()
    his.close()
  })

  it('resumes where it was', async () => {
    const room = await roomOfBoth()
    for (const content of ['1', '2', '3'])
      await aoi.send('POST', `/v1/chat/rooms/${room}/messages`, { content })
    const client = await Client.open(two, ken)
    await client.ask({ type: 'subscribe', roomId: room, after: 3 })
    expect(client.events().map(({ sequence }) => sequence)).toEqual([4, 5])
    client.close()
  })

  it('refuses what is wrong, and goes on', async () => {
    const room = (await aoi.send('POST', '/v1/chat/rooms', { name: 'hers', type: 'private' })).json().id
    const client = await Client.open(two, ken)
    expect(await client.ask({ type: 'subscribe', roomId: room })).toMatchObject({
      type: 'refused',
      problem: { code: 'not_found', status: 404 },
    })
    expect(await client.ask({ type: 'send', roomId: room, message: { content: 'x' } })).toMatchObject({
      problem: { code: 'not_found', status: 404 },
    })
    expect(await client.ask({ type: 'nonsense' })).toMatchObject({
      type: 'refused',
      problem: { code: 'invalid_input', status: 400 },
    })
    client.raw('no json')
    await vi.waitFor(() => expect(client.frames.at(-1)).toMatchObject({ type: 'refused', id: null }), 20_000)
    expect(client.closed).toBeUndefined()
    client.close()
  })

  it('is for signed-in people of this server’s own pages', async () => {
    const stranger = server.browser(one.http)
    await expect(Client.open(one, stranger)).rejects.toThrow('401')
    await expect(Client.open(one, aoi, { origin: 'https://elsewhere.example' })).rejects.toThrow('403')
    const own = await Client.open(one, aoi, { origin: `http://${one.host}` })
    own.close()
  })

  it('ends within a second of the session, wherever it was revoked', async () => {
    const other = server.browser(two.http)
    await other.signIn('ken')
    const client = await Client.open(two, other)
    const sessions: { id: string; current: boolean }[] = (await other.send('GET', '/v1/me/sessions')).json()
      .sessions
    const mine = sessions.find(({ current }) => current)
    expect((await ken.send('DELETE', `/v1/me/sessions/${mine?.id}`)).statusCode).toBe(204)
    await vi.waitFor(() => expect(client.closed).toBe(4001), 20_000)
  })

  it('says when somebody is removed, and nothing after', async () => {
    const room = await roomOfBoth()
    const client = await Client.open(two, ken)
    await client.ask({ type: 'subscribe', roomId: room })
    await aoi.send('DELETE', `/v1/chat/rooms/${room}/members/${kenId}`)
    await aoi.send('POST', `/v1/chat/rooms/${room}/messages`, { content: 'without ken' })
    await vi.waitFor(() => expect(client.frames).toContainEqual({ type: 'ended', roomId: room }), 20_000)
    expect(JSON.stringify(client.frames)).not.toContain('without ken')
    client.close()
  })

  it('spreads presence to those who share a room, and typing', async () => {
    const room = await roomOfBoth()
    const her = await Client.open(one, aoi)
    await her.ask({ type: 'subscribe', roomId: room })
    const hears = (frame: Frame) => expect.poll(() => her.frames, { timeout: 10_000 }).toContainEqual(frame)
    const his = await Client.open(one, ken)
    await hears({ type: 'presence', userId: kenId, status: 'online' })
    await his.ask({ type: 'subscribe', roomId: room })
    his.raw(JSON.stringify({ type: 'typing', roomId: room }))
    await hears({ type: 'typing', roomId: room, userId: kenId })
    his.raw(JSON.stringify({ type: 'presence', status: 'away' }))
    await hears({ type: 'presence', userId: kenId, status: 'away' })
    const listed = (await aoi.send('GET', `/v1/chat/presence?userId=${kenId}`)).json()
    expect(listed.presence).toEqual([{ userId: kenId, status: 'away' }])
    his.close()
    await hears({ type: 'presence', userId: kenId, status: 'offline' })
    her.close()
  })

  it('has nothing that HTTP has not: presence and typing', async () => {
    const room = await roomOfBoth()
    const her = await Client.open(two, aoi)
    await her.ask({ type: 'subscribe', roomId: room })
    const hears = (frame: Frame) => expect.poll(() => her.frames, { timeout: 10_000 }).toContainEqual(frame)
    for (const status of ['away', 'online', 'offline']) {
      expect((await ken.send('POST', '/v1/chat/presence', { status })).statusCode).toBe(204)
      await hears({ type: 'presence', userId: kenId, status })
    }
    expect((await ken.send('POST', '/v1/chat/presence', { status: 'asleep' })).statusCode).toBe(400)
    expect((await ken.send('POST', `/v1/chat/rooms/${room}/typing`)).statusCode).toBe(204)
    await hears({ type: 'typing', roomId: room, userId: kenId })
    const heard = her.frames.length
    await ken.send('POST', `/v1/chat/rooms/${room}/leave`)
    expect((await ken.send('POST', `/v1/chat/rooms/${room}/typing`)).statusCode).toBe(404)
    expect(her.frames.slice(heard).filter(({ type }) => type === 'typing')).toEqual([])
    const key = {
      authorization: `Bearer ${(await ken.send('POST', '/v1/api-keys', { name: 'bot' })).json().key}`,
    }
    const refused = await overSocket(two.http, {
      method: 'POST',
      url: '/v1/chat/presence',
      headers: key,
      payload: { status: 'away' },
    })
    expect(refused.statusCode).toBe(403)
    her.close()
  })

  it('says nothing of a presence that came and went within a round', async () => {
    const room = await roomOfBoth()
    const her = await Client.open(one, aoi)
    await her.ask({ type: 'subscribe', roomId: room })
    const his = await Client.open(one, ken)
    const told = () =>
      her.frames
        .filter(({ type, userId }) => type === 'presence' && userId === kenId)
        .map(({ status }) => status)
    await expect.poll(told, { timeout: 10_000 }).toEqual(['online'])
    // One after the other in the same round: the last of them is what there is to tell.
    for (const status of ['away', 'online', 'away', 'online', 'away', 'online', 'away'])
      his.raw(JSON.stringify({ type: 'presence', status }))
    await expect.poll(() => told().at(-1), { timeout: 10_000 }).toBe('away')
    expect(told().length).toBeLessThan(5)
    his.close()
    her.close()
  })

  it('takes no frame past its size', async () => {
    const client = await Client.open(one, aoi)
    client.raw(JSON.stringify({ type: 'typing', roomId: 'x'.repeat(70_000) }))
    await expect.poll(() => client.closed).toBe(1009)
  })

  it('gives all that was missed to whoever reads, however much it is', async () => {
    const room = await roomOfBoth()
    const MISSED = 900
    await flood(room, MISSED)
    const reader = await Client.open(one, ken)
    await reader.ask({ type: 'subscribe', roomId: room, after: 2 })
    expect(reader.events().map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: MISSED }, (_, at) => at + 3),
    )
    expect(reader.closed).toBeUndefined()
    reader.close()
  })

  it('sends away who does not read while the others hear everything, and resumes where they were', {
    timeout: 120_000,
  }, async () => {
    const room = await roomOfBoth()
    const MESSAGES = 1_200
    const listened = one.listeners.length
    const reader = await Client.open(two, ken)
    const slow = await Client.open(one, aoi)
    for (const client of [reader, slow]) await client.ask({ type: 'subscribe', roomId: room, after: 2 })
    slow.pause()
    // More than the buffers of both kernels and the server take, and much more than may wait for a reader.
    await flood(room, MESSAGES)
    const heard = (client: Client) => client.events().map(({ sequence }) => sequence)
    const everything = Array.from({ length: MESSAGES }, (_, at) => at + 3)
    await expect.poll(() => reader.events().length, { timeout: 60_000 }).toBe(MESSAGES)
    expect(heard(reader)).toEqual(everything)
    expect(reader.closed).toBeUndefined()
    // Long enough for the server to have given up; what was sent until then is there to be read.
    await expect
      .poll(() => one.listeners.slice(listened).some((each) => each.isGone()), { timeout: 60_000 })
      .toBe(true)
    slow.resume()
    await expect.poll(() => slow.closed, { timeout: 60_000 }).toBe(4008)
    const before = heard(slow)
    expect(before.length).toBeLessThan(MESSAGES)
    expect(before).toEqual(everything.slice(0, before.length))
    const again = await Client.open(one, aoi)
    await again.ask({ type: 'subscribe', roomId: room, after: before.at(-1) ?? 2 })
    await expect.poll(() => again.events().length, { timeout: 60_000 }).toBe(MESSAGES - before.length)
    expect([...before, ...heard(again)]).toEqual(everything)
    reader.close()
    again.close()
  })

  it('is for sessions, which can end: a key asks over HTTP', async () => {
    const { key } = (await aoi.send('POST', '/v1/api-keys', { name: 'bot' })).json()
    expect(key).toEqual(expect.any(String))
    await expect(
      Client.open(one, server.browser(one.http), { authorization: `Bearer ${key}` }),
    ).rejects.toThrow('403')
  })

  it('sends away who floods it', async () => {
    const client = await Client.open(one, aoi)
    for (let at = 0; at < 150; at += 1) client.raw('{}')
    await vi.waitFor(() => expect(client.closed).toBe(4029), 20_000)
  })
})
