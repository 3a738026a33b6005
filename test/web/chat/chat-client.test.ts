import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ChatClient } from '../../../web/src/chat/model/chat-client.ts'
import { aoi, FakeServer, ken, memory } from './fake-server.ts'

let server: FakeServer

beforeEach(() => {
  vi.useFakeTimers()
  server = new FakeServer()
})
afterEach(() => vi.useRealTimers())

/** Long enough for the longest wait between two attempts. */
const settle = (ms = 60_000) => vi.advanceTimersByTimeAsync(ms)

async function opened(): Promise<ChatClient> {
  const client = server.client()
  client.start()
  await settle(500)
  await client.open(server.roomId)
  return client
}

const shown = (client: ChatClient) =>
  client.timelines
    .get()
    .get(server.roomId)
    ?.messages.map(({ content }) => content)
const room = (client: ChatClient) => client.rooms.get()?.get(server.roomId)

describe('a chat over a connection', () => {
  it('shows what others send, and counts what was not read once', async () => {
    server.post(ken, { content: '1' })
    const client = await opened()
    expect(room(client)?.unread).toBe(1)
    server.post(ken, { content: '2' })
    server.post(ken, { content: '@aoi 3', mentions: [aoi.id] })
    expect(shown(client)).toEqual(['1', '2', '@aoi 3'])
    expect(room(client)).toMatchObject({ unread: 3, unreadMentions: 1, lastMessage: { content: '@aoi 3' } })
    client.read(server.roomId)
    expect(room(client)).toMatchObject({ unread: 0, unreadMentions: 0 })
    await settle(100)
    expect(server.requests).toContain('read')
    client.stop()
  })

  it('shows a message at once, and the server’s copy in its place', async () => {
    const client = await opened()
    client.send(server.roomId, { content: 'hello' })
    expect(client.pending.get()).toMatchObject([{ message: { content: 'hello' } }])
    await settle(10)
    expect(client.pending.get()).toEqual([])
    expect(shown(client)).toEqual(['hello'])
    client.stop()
  })

  it('goes on where it was after the connection broke', async () => {
    const client = await opened()
    server.reachable = false
    server.breakAll()
    expect(client.connection.get()).toBe('waiting')
    server.post(ken, { content: 'missed 1' })
    client.send(server.roomId, { content: 'written meanwhile 1' })
    client.send(server.roomId, { content: 'written meanwhile 2' })
    server.post(ken, { content: 'missed 2' })
    await settle(5_000)
    expect(shown(client)).toEqual([])
    server.reachable = true
    await settle()
    expect(shown(client)).toEqual(['missed 1', 'missed 2', 'written meanwhile 1', 'written meanwhile 2'])
    expect(room(client)?.unread).toBe(2)
    expect(client.pending.get()).toEqual([])
    client.stop()
  })

  it('sends again what it had no answer to, and it is there once', async () => {
    const client = await opened()
    server.answers = false
    client.send(server.roomId, { content: 'once' })
    await settle(10)
    expect(server.messages).toHaveLength(1)
    server.answers = true
    await settle()
    expect(server.messages).toHaveLength(1)
    expect(shown(client)).toEqual(['once'])
    expect(client.pending.get()).toEqual([])
    client.stop()
  })

  it('keeps what waits over a reload of the page', async () => {
    const storage = memory()
    const before = server.client(storage)
    before.send(server.roomId, { content: 'kept' })
    before.stop()
    const after = server.client(storage)
    after.start()
    await settle(500)
    expect(server.messages.map(({ content }) => content)).toEqual(['kept'])
    after.stop()
  })

  it('says what the server refused, goes on with the next, and tries again when asked', async () => {
    const client = await opened()
    server.refuse = ({ content }) => (content === 'no' ? { status: 400, detail: 'not like this' } : null)
    client.send(server.roomId, { content: 'no' })
    client.send(server.roomId, { content: 'yes' })
    await settle(10)
    expect(client.pending.get()).toMatchObject([{ state: 'failed', problem: 'invalid_input' }])
    expect(shown(client)).toEqual(['yes'])
    server.refuse = () => null
    client.retry(client.pending.get()[0]?.clientId ?? '')
    await settle(10)
    expect(shown(client)).toEqual(['yes', 'no'])
    client.stop()
  })

  it('waits and tries again when the server is in trouble', async () => {
    const client = await opened()
    server.refuse = () => ({ status: 503, detail: 'busy' })
    client.send(server.roomId, { content: 'patient' })
    await settle(1_500)
    expect(client.pending.get()).toMatchObject([{ state: 'waiting' }])
    server.refuse = () => null
    await settle()
    expect(shown(client)).toEqual(['patient'])
    client.stop()
  })

  it('reloads the history when what was missed is no longer kept', async () => {
    const client = await opened()
    server.reachable = false
    server.breakAll()
    for (const content of ['1', '2', '3']) server.post(ken, { content })
    server.gaps = true
    server.reachable = true
    await settle()
    expect(shown(client)).toEqual(['1', '2', '3'])
    server.post(ken, { content: '4' })
    expect(shown(client)).toEqual(['1', '2', '3', '4'])
    client.stop()
  })

  it('ends with the session, and sends what was left when the person signs in again', async () => {
    const storage = memory()
    const client = server.client(storage)
    client.start()
    await settle(500)
    server.breakAll(4001)
    client.send(server.roomId, { content: 'too late' })
    await settle()
    expect(client.connection.get()).toBe('ended')
    expect(server.requests.filter((request) => request === 'ended')).toHaveLength(1)
    expect(server.sockets.size).toBe(0)
    client.stop()
    const next = server.client(storage)
    next.start()
    await settle(500)
    expect(server.messages.map(({ content }) => content)).toEqual(['too late'])
    next.stop()
  })

  it('tells when notifications and members changed, once for many at a time', async () => {
    const changes: string[] = []
    const client = server.client(memory(), {
      onInboxChanged: () => changes.push('inbox'),
      onMembersChanged: (roomId) => changes.push(roomId === server.roomId ? 'members' : roomId),
    })
    client.start()
    await settle(500)
    await client.open(server.roomId)
    changes.length = 0
    for (let at = 0; at < 5; at += 1) server.post(ken, { content: 'for everybody' })
    await settle(500)
    expect(changes).toEqual(['inbox'])
    server.level = 'mentions'
    await client.refresh()
    server.post(ken, { content: 'for nobody' })
    await settle(500)
    expect(changes).toEqual(['inbox'])
    server.post(ken, { content: '@aoi', mentions: [aoi.id] })
    server.happen('member_joined', null, ken.id)
    await settle(500)
    expect(changes).toEqual(['inbox', 'members', 'inbox'])
    client.stop()
  })

  it('asks for nothing by itself while nobody is there', async () => {
    const waiting = new Map<string, () => void>()
    const client = server.client(memory(), {
      inBackground: (key, run) => void waiting.set(key, run),
    })
    client.start()
    await settle(500)
    const asked = server.listings
    for (const socket of server.sockets) for (const _ of [1, 2, 3]) socket.say({ type: 'inbox' })
    await settle(1_000)
    expect(server.listings).toBe(asked)
    expect([...waiting.keys()]).toEqual(['inbox', 'rooms'])
    for (const run of waiting.values()) run()
    expect(server.listings).toBe(asked + 1)
    client.stop()
  })

  it('notices a connection that died in silence', async () => {
    const client = await opened()
    for (const socket of server.sockets) socket.send = () => undefined
    await settle(120_000)
    expect(client.connection.get()).toBe('open')
    server.post(ken, { content: 'heard on the new one' })
    expect(shown(client)).toEqual(['heard on the new one'])
    client.stop()
  })
})

describe('history', () => {
  beforeEach(() => {
    for (let at = 0; at < 40; at += 1) server.post(ken, { content: String(at) })
  })
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => String(from + at))

  it('is loaded page by page', async () => {
    const client = await opened()
    expect(shown(client)).toEqual(numbers(30, 40))
    await client.loadOlder(server.roomId)
    await client.loadOlder(server.roomId)
    expect(shown(client)).toEqual(numbers(10, 40))
    client.stop()
  })

  it('has no hole after a jump, while others go on writing', async () => {
    const client = await opened()
    await client.jump(server.roomId, server.messages[7]?.id ?? '')
    server.post(ken, { content: '40' })
    expect(shown(client)).toEqual(numbers(2, 13))
    for (let pages = 0; pages < 3; pages += 1) await client.loadNewer(server.roomId)
    server.post(ken, { content: '41' })
    expect(shown(client)).toEqual(numbers(2, 42))
    client.stop()
  })

  it('keeps no more in memory than its reader needs', async () => {
    const client = await opened()
    for (let at = 40; at < 700; at += 1) server.post(ken, { content: String(at) })
    expect(shown(client)).toHaveLength(670)
    client.atEnd(server.roomId)
    expect(shown(client)).toEqual(numbers(400, 700))
    await client.loadOlder(server.roomId)
    expect(shown(client)).toEqual(numbers(390, 700))
    for (let room = 0; room < 12; room += 1) await client.open(`room ${room}`)
    expect(shown(client)).toBeUndefined()
    expect(client.timelines.get().size).toBe(12)
    await client.open(server.roomId)
    expect(shown(client)).toEqual(numbers(690, 700))
    client.stop()
  })

  it('takes a message that came while its page was under way, once', async () => {
    const client = server.client()
    client.start()
    await settle(500)
    server.meanwhile = () => {
      server.meanwhile = () => undefined
      server.post(ken, { content: '40' })
      server.edit(server.messages[35]?.id ?? '', 'edited')
    }
    await client.open(server.roomId)
    expect(shown(client)).toEqual([...numbers(30, 35), 'edited', ...numbers(36, 41)])
    client.stop()
  })
})

describe('whatever the network does', () => {
  it('nothing is lost and nothing doubled, in the room’s order', async () => {
    const step = fc.oneof(
      fc.constant('break' as const),
      fc.constant('mute' as const),
      fc.constant('return' as const),
      fc.constant('theirs' as const),
      fc.constant('mine' as const),
      fc.constant('wait' as const),
      fc.constant('edit' as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        server = new FakeServer()
        const client = await opened()
        let written = 0
        const does = {
          break: () => {
            server.reachable = false
            server.breakAll()
          },
          mute: () => {
            server.answers = false
          },
          return: () => {
            server.answers = true
            server.reachable = true
          },
          theirs: () => server.post(ken, { content: `theirs ${written++}` }),
          mine: () => client.send(server.roomId, { content: `mine ${written++}` }),
          edit: () => server.messages[0] && server.edit(server.messages[0].id, `edit ${written++}`),
          wait: () => settle(700),
        }
        for (const what of steps) await does[what]()
        server.answers = true
        server.reachable = true
        await settle(120_000)
        while (client.timelines.get().get(server.roomId)?.hasNewer === true)
          await client.loadNewer(server.roomId)
        const sent = steps.filter((what) => what === 'mine' || what === 'theirs').length
        expect(server.messages).toHaveLength(sent)
        expect(shown(client)).toEqual(server.messages.map(({ content }) => content))
        expect(client.pending.get()).toEqual([])
        expect(room(client)?.lastSequence).toBe(server.events.length)
        const mine = server.messages.filter(({ author }) => author?.id === aoi.id)
        const order = mine.map(({ content }) => Number(/\d+$/.exec(content)?.[0]))
        if (!steps.includes('edit')) expect(order).toEqual([...order].sort((left, right) => left - right))
        client.stop()
      }),
      { numRuns: 60 },
    )
  })
})
