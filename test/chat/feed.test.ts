import { setTimeout as wait } from 'node:timers/promises'
import type { Room, RoomEvent } from '@akashi/contract'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { testDatabase } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const log = pino({ level: 'silent' })
let aoi: Person
let ken: Person
let bus: chat.Bus
let feed: chat.Feed

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  ken = await makePerson(database, app, 'ken')
  bus = chat.localBus()
  feed = chat.openFeed({ app, worker, bus, log })
})
afterAll(() => feed.close())

interface Heard {
  readonly events: RoomEvent[]
  started: { sequence: number; gap: boolean } | undefined
  ended: boolean
}

function listenerOf(person: Person): { heard: Heard; listener: chat.Listener } {
  const heard: Heard = { events: [], started: undefined, ended: false }
  return {
    heard,
    listener: {
      userId: person.id,
      actor: person.actor,
      onStart: (sequence, gap) => {
        heard.started = { sequence, gap }
      },
      onEvent: (event) => void heard.events.push(event),
      drained: () => Promise.resolve(),
      isFull: () => false,
      isGone: () => false,
      onTyping: () => undefined,
      onEnd: () => {
        heard.ended = true
      },
    },
  }
}

async function roomOfBoth(): Promise<Room> {
  const room = await chat.createRoom(app, aoi.actor, { name: 'both' })
  await chat.joinRoom(app, ken.actor, room.id)
  return room
}

const sequences = (heard: Heard) => heard.events.map(({ sequence }) => sequence)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)

describe('a feed', () => {
  it('delivers everything after its start, once and in order, to everybody who listens', async () => {
    const room = await roomOfBoth()
    const people = [listenerOf(aoi), listenerOf(ken), listenerOf(ken)]
    for (const { listener } of people) await feed.subscribe(room.id, listener)
    expect(people[0]?.heard.started).toEqual({ sequence: 2, gap: false })
    await Promise.all(
      range(1, 40).map(async (at) => {
        await chat.postMessage(app, at % 2 === 0 ? aoi.actor : ken.actor, room.id, { content: `${at}` })
        bus.announce({ about: 'room', roomId: room.id })
      }),
    )
    for (const { heard } of people)
      await vi.waitFor(() => expect(sequences(heard)).toEqual(range(3, 42)), 20_000)
  })

  it('finds what no word came about', async () => {
    const room = await roomOfBoth()
    const { heard, listener } = listenerOf(ken)
    await feed.subscribe(room.id, listener)
    await chat.postMessage(app, aoi.actor, room.id, { content: 'from a node that died' })
    await vi.waitFor(() => expect(heard.events[0]?.message?.content).toBe('from a node that died'), 20_000)
  })

  it('resumes from a sequence number while messages go on', async () => {
    const room = await roomOfBoth()
    const { listener: constant } = listenerOf(aoi)
    await feed.subscribe(room.id, constant)
    let posting = true
    const writer = (async () => {
      for (let at = 0; posting; at += 1) {
        await chat.postMessage(app, aoi.actor, room.id, { content: `${at}` })
        bus.announce({ about: 'room', roomId: room.id })
      }
    })()
    let last = 2
    const all: number[] = []
    for (let round = 0; round < 8; round += 1) {
      const { heard, listener } = listenerOf(ken)
      const stop = await feed.subscribe(room.id, listener, last)
      expect(heard.started).toEqual({ sequence: last, gap: false })
      await wait(30)
      stop?.()
      all.push(...sequences(heard))
      last = all.at(-1) ?? last
      await wait(10)
    }
    posting = false
    await writer
    expect(all.length).toBeGreaterThan(10)
    expect(all).toEqual(range(3, last))
  })

  it('says so when what was missed is no longer there', async () => {
    const room = await roomOfBoth()
    await chat.postMessage(app, aoi.actor, room.id, { content: 'old' })
    await database.asSuperuser((session) =>
      session.query('delete from akashi_chat.room_events where room_id = $1', [room.id]),
    )
    const behind = listenerOf(ken)
    await feed.subscribe(room.id, behind.listener, 1)
    expect(behind.heard.started).toEqual({ sequence: 3, gap: true })
    const ahead = listenerOf(ken)
    await feed.subscribe(room.id, ahead.listener, 99)
    expect(ahead.heard.started).toEqual({ sequence: 3, gap: true })
  })

  it('ends for whoever is removed, before anything later', async () => {
    const room = await roomOfBoth()
    const owner = listenerOf(aoi)
    const removed = listenerOf(ken)
    await feed.subscribe(room.id, removed.listener)
    await feed.subscribe(room.id, owner.listener)
    await chat.removeMember(app, aoi.actor, room.id, ken.id)
    for (let at = 0; at < 5; at += 1)
      await chat.postMessage(app, aoi.actor, room.id, { content: 'without ken' })
    bus.announce({ about: 'room', roomId: room.id })
    await vi.waitFor(() => expect(owner.heard.events).toHaveLength(6), 20_000)
    expect(removed.heard.ended).toBe(true)
    expect(removed.heard.events.filter(({ type }) => type !== 'member_left')).toEqual([])
    expect(owner.heard.ended).toBe(false)
  })

  it('has nothing for strangers', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'closed', type: 'private' })
    const { heard, listener } = listenerOf(ken)
    expect(await feed.subscribe(room.id, listener)).toBeNull()
    expect(heard.started).toBeUndefined()
  })
})
