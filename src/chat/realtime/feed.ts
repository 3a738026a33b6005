/**
 * Delivers the events of rooms to listeners on this server. Each room has a cursor; later events are read once,
 * with the privileges of one listener, and delivered to all of them in order.
 *
 * Membership ends in the same order: after their own `member_left`, a listener gets nothing.
 */

import type { Message, MissedEvents, RoomEvent } from '@akashi/contract'
import type { Log } from '../../foundation/index.ts'
import { type Actor, type Database, system } from '../../postgres/index.ts'
import { eventsAfter } from '../events.ts'
import type { RoomSecrets } from '../room-secrets.ts'
import type { Bus } from './bus.ts'
import { TypingPauses } from './typing.ts'

/** Milliseconds between two polls for events whose bus message was lost. */
const POLL_INTERVAL_MS = 1_000
/** A client that missed more events reloads the room's history instead, which is less to send. */
const MAX_RESUMED_EVENTS = 2_000
/** Maximum rooms per poll. */
const POLL_ROOMS = 10_000
/**
 * Concurrent reads for new listeners. Further ones wait here without a limit, and not for a pooled connection: that
 * wait has a timeout, and a refused client would reconnect and request everything again.
 */
const READS_AT_ONCE = 4

export interface Listener {
  readonly userId: string
  readonly actor: Actor
  /**
   * Called before the first event, which is `sequence` plus one. `gap`: missed events are not sent; reload the
   * room's history.
   */
  readonly onStart: (sequence: number, gap: boolean) => void
  /** Receives every event once, in order, with its JSON, which all listeners share. */
  readonly onEvent: (event: RoomEvent, json: string) => void
  /** Resolves when it can take more events. */
  readonly drained: () => Promise<void>
  /** Whether its buffer is full, so that further events wait until `drained`. */
  readonly isFull: () => boolean
  /** Whether it has disconnected, so that pending reads can be skipped. */
  readonly isGone: () => boolean
  /** Somebody is typing; reported by their client, not stored. */
  readonly onTyping: (userId: string) => void
  /** No more events: no longer a member, or the room was deleted. */
  readonly onEnd: () => void
}

export interface Feed {
  /**
   * Resolves when all events since `onStart` are certain to be delivered.
   * @param after resumes after a sequence number; default: from now on
   * @returns a function that unsubscribes; null if the person may not see the room
   */
  subscribe(roomId: string, listener: Listener, after?: number): Promise<(() => void) | null>
  /** Announces a message that this server has just stored: to its listeners at once, to other servers over the bus. */
  announce(message: Message): void
  /** Tells the other listeners on this server that somebody is typing. */
  typing(roomId: string, userId: string): void
  close(): Promise<void>
}

/** A listener with the sequence of the last event delivered to it. */
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

/** `app` reads as the listeners; `worker` only polls which rooms have new events. */
export function openFeed(options: {
  readonly app: Database
  readonly worker: Database
  readonly bus: Bus
  /** Reads messages of encrypted rooms; without it they are sent as ciphertext. */
  readonly secrets?: RoomSecrets
  readonly log: Log
}): Feed {
  const { app, worker, bus, secrets, log } = options
  const rooms = new Map<string, Room>()
  const stopping = new AbortController()
  const inTurn = turns(READS_AT_ONCE)
  const typing = new TypingPauses()

  /** With the copy of the room's key of this listener; what is read goes to members only. */
  async function readEvents(listener: Listener, roomId: string, sequence: number): Promise<MissedEvents> {
    const missed = await eventsAfter(app, listener.actor, roomId, sequence)
    return secrets === undefined ? missed : await secrets.events(listener.actor, missed)
  }

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
      listener.isGone() || stopping.signal.aborted ? null : await readEvents(listener, roomId, sequence),
    )
  }

  /** Sends the member what it missed, at its pace, and adds it to the room; false if it may not see the room. */
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
      // Nothing is awaited between this comparison and adding it, so nothing is delivered in between.
      if (member.heard >= (rooms.get(roomId)?.cursor ?? first.lastSequence)) break
      const read = await readAfter(listener, roomId, member.heard)
      if (read === null || read.lastSequence === 0 || read.gap || stopping.signal.aborted) return false
      missed = read.events
    }
    // It may have read further than the room: the other listeners get those events now, this one has them.
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

  /** Continues with a slow member at its own pace, without delaying the room. */
  async function fallBehind(room: Room, member: Member): Promise<void> {
    remove(room, member)
    try {
      await member.listener.drained()
      if (member.stopped) return
      const read = await readAfter(member.listener, room.id, member.heard)
      const isThere = read !== null && read.lastSequence > 0 && !read.gap
      if (isThere && (await follow(room.id, member, read, read.events))) return
    } catch (error) {
      log.warn({ error, room: room.id }, 'a slow listener could not catch up')
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

  /** Only the sender sees a file that was not scanned, so events read for another listener are read again for the sender. */
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
      const { events: own } = await readEvents(author.listener, room.id, sequence - 1)
      if (own[0]?.sequence === sequence) views.set(sequence, own[0])
    }
    return views
  }

  /** Returns whether there is more to read. */
  async function readOn(room: Room): Promise<boolean> {
    const [reader] = room.listeners
    if (reader === undefined || stopping.signal.aborted) return false
    const missed = await readEvents(reader.listener, room.id, room.cursor)
    if (missed.lastSequence === 0) {
      // The reader may no longer see the room; the next listener may.
      end(room, reader)
      return true
    }
    if (missed.gap) {
      // This server missed more than events are kept for: every listener starts over.
      for (const member of [...room.listeners]) end(room, member)
      return false
    }
    const own = await ownViews(room, reader.listener, missed.events)
    for (const event of missed.events) {
      // Messages stored by this server may have been delivered meanwhile.
      if (event.sequence === room.cursor + 1) deliver(room, event, own.get(event.sequence))
    }
    return room.cursor < missed.lastSequence
  }

  /** Reads until there is nothing new. One at a time per room; a message that arrives meanwhile makes it read again. */
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
      log.warn({ error, room: room.id }, 'a room could not be read; it is tried again')
    } finally {
      room.pumping = false
    }
  }

  async function poll(): Promise<void> {
    const ids = [...rooms.keys()].slice(0, POLL_ROOMS)
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

  const stopListening = bus.listen((message) => {
    const room = message.about === 'room' ? rooms.get(message.roomId) : undefined
    if (room === undefined) return
    if (message.about === 'room' && message.sequence !== undefined && message.sequence <= room.cursor) return
    void pump(room)
  })
  let polling = Promise.resolve()
  const timer = setInterval(() => {
    polling = polling.then(poll).catch((error: unknown) => {
      if (!stopping.signal.aborted) log.warn({ error }, 'rooms could not be polled')
    })
  }, POLL_INTERVAL_MS)

  return {
    async subscribe(roomId, listener, after) {
      const read = await readAfter(listener, roomId, after ?? Number.MAX_SAFE_INTEGER)
      if (read === null) return null
      // A client ahead of the room knows another history, for example from before a restore.
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
      // All listeners have everything before it, including removals of members, so all of them may see it.
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
      if (!typing.isDue(roomId, userId)) return
      for (const { listener } of rooms.get(roomId)?.listeners ?? []) {
        if (listener.userId !== userId) listener.onTyping(userId)
      }
    },
    async close() {
      stopping.abort()
      clearInterval(timer)
      stopListening()
      await polling
      rooms.clear()
    },
  }
}

/** Limits concurrency; further work waits, first come, first served. */
function turns(atOnce: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let free = atOnce
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The slot is passed on without becoming free, so that the order is kept.
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}

/** The event without a file that only its sender may see yet. */
function withoutUnfinishedFile(event: RoomEvent): RoomEvent {
  const { message } = event
  if (message === null || message.file === null || message.file.status === 'completed') return event
  return { ...event, message: { ...message, file: null } }
}
