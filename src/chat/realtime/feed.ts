/**
 * The rooms that somebody on this node listens to. Each has a cursor; whatever came after it is read once,
 * under the rights of one of its listeners, and given to all of them in the room's order.
 *
 * Membership ends in the same order: a listener whose `member_left` is read hears that, and nothing after.
 */

import type { Message, MissedEvents, RoomEvent } from '@akashi/contract'
import type { Log } from '../../foundation/index.ts'
import { type Actor, type Database, system } from '../../postgres/index.ts'
import { eventsAfter } from '../events.ts'
import type { Bus } from './bus.ts'

/** How often, in milliseconds, rooms are looked at for what no word came about. */
const LOOK_INTERVAL_MS = 1_000
/** Whoever missed more than this reloads the room's history, which is less to send. */
const MAX_RESUMED_EVENTS = 2_000
/** Rooms that one look asks about. */
const LOOK_ROOMS = 10_000
/**
 * Reads for those who begin to listen that go on at once. The others wait here, for as long as it takes, and not
 * for a connection: that wait has an end, and whoever it refuses comes back and asks for everything again.
 */
const READS_AT_ONCE = 4

export interface Listener {
  readonly userId: string
  readonly actor: Actor
  /**
   * Before the first event: the next one is `sequence` plus one. `gap`: what was missed before that is not
   * sent; load the room's history anew.
   */
  readonly onStart: (sequence: number, gap: boolean) => void
  /** Gets every event once, in order, as JSON that all listeners share. */
  readonly onEvent: (event: RoomEvent, json: string) => void
  /** Resolves once it can take more of what it missed, which may be much. */
  readonly drained: () => Promise<void>
  /** So much waits to be sent to it that it hears the rest once it has read: see `drained`. */
  readonly isFull: () => boolean
  /** It is not there any more: what it waits for need not be done. */
  readonly isGone: () => boolean
  /** Somebody writes; said by their client, kept nowhere. */
  readonly onTyping: (userId: string) => void
  /** Nothing more comes: no longer a member, or the room is gone. */
  readonly onEnd: () => void
}

export interface Feed {
  /**
   * Answers how to stop, once everything from `onStart` on is sure to be delivered; null when there is no such
   * room for this person. `after` resumes from a sequence number; without it the feed begins now.
   */
  subscribe(roomId: string, listener: Listener, after?: number): Promise<(() => void) | null>
  /** A message that this node has just stored: its listeners hear it at once, those of other nodes over the bus. */
  announce(message: Message): void
  /** Tells the others on this node that somebody writes: a word that is late or lost means nothing. */
  typing(roomId: string, userId: string): void
  close(): Promise<void>
}

/** Somebody who listens, and how far they have heard. */
interface Member {
  readonly listener: Listener
  heard: number
  stopped: boolean
}

interface Room {
  readonly id: string
  cursor: number
  readonly listeners: Set<Member>
  pumping: boolean
  again: boolean
}

const feed = system('chat-feed')

/** `app` reads as the listeners; `worker` only asks which rooms moved on. */
export function openFeed(options: {
  readonly app: Database
  readonly worker: Database
  readonly bus: Bus
  readonly log: Log
}): Feed {
  const { app, worker, bus, log } = options
  const rooms = new Map<string, Room>()
  const stopping = new AbortController()
  const inTurn = turns(READS_AT_ONCE)

  function remove(room: Room, member: Member): void {
    room.listeners.delete(member)
    if (room.listeners.size === 0 && rooms.get(room.id) === room) rooms.delete(room.id)
  }

  function end(room: Room, member: Member): void {
    if (!room.listeners.has(member)) return
    remove(room, member)
    member.listener.onEnd()
  }

  function readAfter(listener: Listener, roomId: string, sequence: number): Promise<MissedEvents | null> {
    return inTurn(async () =>
      listener.isGone() || stopping.signal.aborted
        ? null
        : await eventsAfter(app, listener.actor, roomId, sequence),
    )
  }

  /** Gives the member what it missed, at its pace, and joins it to the room; false when it may not hear it. */
  async function follow(
    roomId: string,
    member: Member,
    first: MissedEvents,
    firstMissed: readonly RoomEvent[],
  ): Promise<boolean> {
    const { listener } = member
    let missed = firstMissed
    for (;;) {
      for (const event of missed) {
        if (member.stopped) return true
        listener.onEvent(event, JSON.stringify(event))
        member.heard = event.sequence
        await listener.drained()
      }
      if (member.stopped) return true
      // Nothing is awaited between this comparison and joining, so nothing is delivered in between.
      if (member.heard >= (rooms.get(roomId)?.cursor ?? first.lastSequence)) break
      const read = await readAfter(listener, roomId, member.heard)
      if (read === null || read.lastSequence === 0 || read.gap || stopping.signal.aborted) return false
      missed = read.events
    }
    // It may have read further than the room has: the room's listeners hear those now, this one has them.
    const room = rooms.get(roomId) ?? {
      id: roomId,
      cursor: member.heard,
      listeners: new Set(),
      pumping: false,
      again: false,
    }
    rooms.set(roomId, room)
    room.listeners.add(member)
    void pump(room)
    return true
  }

  /** Whoever has much before them hears the rest at their own pace, while the room goes on. */
  async function fallBehind(room: Room, member: Member): Promise<void> {
    remove(room, member)
    try {
      await member.listener.drained()
      if (member.stopped) return
      const read = await readAfter(member.listener, room.id, member.heard)
      const isThere = read !== null && read.lastSequence > 0 && !read.gap
      if (isThere && (await follow(room.id, member, read, read.events))) return
    } catch (error) {
      log.warn({ error, room: room.id }, 'somebody who fell behind could not be told the rest')
    }
    if (!member.stopped) member.listener.onEnd()
  }

  /** `own` is the event as the author of its message sees it. */
  function deliver(room: Room, event: RoomEvent, own: RoomEvent = event): void {
    room.cursor = event.sequence
    const shared = withoutUnfinishedFile(event)
    const json = JSON.stringify(shared)
    const author = event.message?.author?.id
    for (const member of [...room.listeners]) {
      const { listener } = member
      if (event.sequence <= member.heard) continue
      if (listener.isFull()) {
        void fallBehind(room, member)
        continue
      }
      if (listener.userId === author && own !== shared) listener.onEvent(own, JSON.stringify(own))
      else listener.onEvent(shared, json)
      member.heard = event.sequence
    }
    for (const member of [...room.listeners]) {
      const left = event.type === 'member_left' && event.userId === member.listener.userId
      if (left || event.type === 'room_deleted') end(room, member)
    }
  }

  /** Only its sender sees a file that was not checked: what another listener reads is read for the sender anew. */
  async function ownViews(
    room: Room,
    reader: Listener,
    events: readonly RoomEvent[],
  ): Promise<ReadonlyMap<number, RoomEvent>> {
    const views = new Map<number, RoomEvent>()
    for (const { sequence, message } of events) {
      if (message === null || message.type === 'text' || message.author?.id === reader.userId) continue
      const author = [...room.listeners].find(({ listener }) => listener.userId === message.author?.id)
      if (author === undefined) continue
      const { events: own } = await eventsAfter(app, author.listener.actor, room.id, sequence - 1)
      if (own[0]?.sequence === sequence) views.set(sequence, own[0])
    }
    return views
  }

  /** Answers whether there is more to read. */
  async function readOn(room: Room): Promise<boolean> {
    const [reader] = room.listeners
    if (reader === undefined || stopping.signal.aborted) return false
    const missed = await eventsAfter(app, reader.listener.actor, room.id, room.cursor)
    if (missed.lastSequence === 0) {
      // The reader's rights are gone, and with them the room; the next listener may still have theirs.
      end(room, reader)
      return true
    }
    if (missed.gap) {
      // This node was away for longer than events are kept: every listener starts anew.
      for (const member of [...room.listeners]) end(room, member)
      return false
    }
    const own = await ownViews(room, reader.listener, missed.events)
    for (const event of missed.events) {
      // What this node has stored itself may have been told meanwhile.
      if (event.sequence === room.cursor + 1) deliver(room, event, own.get(event.sequence))
    }
    return room.cursor < missed.lastSequence
  }

  /** Reads until nothing is new. One pump a room; a word that comes meanwhile makes it look once more. */
  async function pump(room: Room): Promise<void> {
    room.again = true
    if (room.pumping) return
    room.pumping = true
    try {
      while (room.again) {
        room.again = false
        if (await readOn(room)) room.again = true
      }
    } catch (error) {
      log.warn({ error, room: room.id }, 'a room could not be read; it is looked at again')
    } finally {
      room.pumping = false
    }
  }

  async function look(): Promise<void> {
    const ids = [...rooms.keys()].slice(0, LOOK_ROOMS)
    if (ids.length === 0) return
    const { rows } = await worker.transaction(
      feed,
      (session) =>
        session.query<{ id: string; last: string }>(
          'select room_id as id, last_sequence::text as last from akashi_chat.room_sequences where room_id = any ($1::uuid[])',
          [ids],
        ),
      { readOnly: true, signal: stopping.signal },
    )
    for (const { id, last } of rows) {
      const room = rooms.get(id)
      if (room !== undefined && room.cursor < Number(last)) void pump(room)
    }
  }

  const silence = bus.listen((word) => {
    const room = word.about === 'room' ? rooms.get(word.roomId) : undefined
    if (room === undefined) return
    if (word.about === 'room' && word.sequence !== undefined && word.sequence <= room.cursor) return
    void pump(room)
  })
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = looking.then(look).catch((error: unknown) => {
      if (!stopping.signal.aborted) log.warn({ error }, 'rooms could not be looked at')
    })
  }, LOOK_INTERVAL_MS)

  return {
    async subscribe(roomId, listener, after) {
      const read = await readAfter(listener, roomId, after ?? Number.MAX_SAFE_INTEGER)
      if (read === null) return null
      // A client ahead of the room remembers another past, e.g. from before a restore.
      const gap =
        after !== undefined &&
        (read.gap || after > read.lastSequence || read.lastSequence - after > MAX_RESUMED_EVENTS)
      if (read.lastSequence === 0 || stopping.signal.aborted) return null
      const at = after === undefined || gap ? read.lastSequence : after
      const missed = gap ? [] : read.events
      listener.onStart(at, gap)
      const member: Member = { listener, heard: at, stopped: false }
      if (!(await follow(roomId, member, read, missed))) return null
      return () => {
        member.stopped = true
        const room = rooms.get(roomId)
        if (room !== undefined) remove(room, member)
      }
    },
    announce(message) {
      const { id, roomId, sequence, author, createdAt } = message
      const room = rooms.get(roomId)
      // Everybody who listens has heard everything before it, also who was removed, so all may hear it.
      if (room !== undefined && sequence === room.cursor + 1 && message.type === 'text') {
        deliver(room, {
          roomId,
          sequence,
          type: 'message_created',
          messageId: id,
          userId: author?.id ?? null,
          detail: {},
          createdAt,
          message,
        })
      }
      bus.announce({ about: 'room', roomId, sequence })
    },
    typing(roomId, userId) {
      for (const { listener } of rooms.get(roomId)?.listeners ?? []) {
        if (listener.userId !== userId) listener.onTyping(userId)
      }
    },
    async close() {
      stopping.abort()
      clearInterval(timer)
      silence()
      await looking
      rooms.clear()
    },
  }
}

/** Runs so many pieces of work at once; the others wait for their turn, first come first served. */
function turns(atOnce: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let free = atOnce
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The turn passes on without becoming free, so that nobody overtakes.
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}

/** The event as everybody may see it. */
function withoutUnfinishedFile(event: RoomEvent): RoomEvent {
  const { message } = event
  if (message === null || message.file === null || message.file.status === 'completed') return event
  return { ...event, message: { ...message, file: null } }
}
