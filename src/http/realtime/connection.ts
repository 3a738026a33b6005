/** One WebSocket connection: handles its requests, sends events, and closes it when a limit is exceeded. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ClientFrame,
  clientFrame,
  closeCodes,
  FRAMES_AT_ONCE,
  FRAMES_PER_SECOND,
  MAX_SUBSCRIPTIONS,
  type PresenceStatus,
  type RoomEvent,
  type ServerFrame,
} from '@akashi/contract'
import type { WebSocket } from '@fastify/websocket'
import {
  type Bus,
  type Feed,
  type Listener,
  markRead,
  type RoomSecrets,
  setPresence,
} from '../../chat/index.ts'
import { AkashiError, jsonOrNull, type Log } from '../../foundation/index.ts'
import type { Database, PersonInSession } from '../../postgres/index.ts'
import { problemOf } from '../problem.ts'
import { HEARTBEAT_MS, MAX_WAITING_BYTES, RESUME_TIMEOUT_MS, RESUME_WAITING_BYTES } from './limits.ts'

/** From this status on the error is the server's. */
const INTERNAL = 500
/** Milliseconds between two checks whether a resuming client has read enough. */
const DRAIN_POLL_MS = 20

export interface ConnectionParts {
  readonly socket: WebSocket
  readonly actor: PersonInSession
  readonly app: Database
  readonly feed: Feed
  readonly bus: Bus
  readonly secrets: RoomSecrets
  /** Whether uploaded files are scanned; without a scanner they stay hidden. */
  readonly scansFiles: boolean
  readonly log: Log
  /** The client set its presence. */
  readonly onPresence: () => void
}

export class Connection {
  readonly id = randomUUID()
  readonly userId: string
  readonly sessionId: string
  readonly #parts: ConnectionParts
  readonly #rooms = new Map<string, (() => void) | null>()
  #allowance = FRAMES_AT_ONCE
  #refilled = performance.now()
  #answered = true
  #heartbeat: NodeJS.Timeout
  /** Requests run one after the other, so that a client's messages keep their order. */
  #queue: Promise<void> = Promise.resolve()

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.userId = parts.actor.userId
    this.sessionId = parts.actor.sessionId
    const { socket } = parts
    socket.on('message', (data, isBinary) => this.#receive(String(data), isBinary))
    socket.on('pong', () => {
      this.#answered = true
    })
    socket.on('error', () => socket.terminate())
    this.#heartbeat = setInterval(() => {
      if (this.#answered) socket.ping()
      else socket.terminate()
      this.#answered = false
    }, HEARTBEAT_MS)
    socket.on('close', () => this.#ended())
    this.send({
      type: 'hello',
      userId: this.userId,
      heartbeatMs: HEARTBEAT_MS,
      scansFiles: parts.scansFiles,
    })
  }

  listensTo(roomId: string): boolean {
    return this.#rooms.has(roomId)
  }

  send(frame: ServerFrame): void {
    this.#write(JSON.stringify(frame))
  }

  close(code: number, reason: string): void {
    this.#parts.socket.close(code, reason)
  }

  #write(text: string | Buffer): void {
    const { socket } = this.#parts
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > MAX_WAITING_BYTES) {
      this.close(closeCodes.tooSlow, 'reads too slowly; resume from the last sequence')
      return
    }
    socket.send(text, { binary: false })
  }

  async #drained(): Promise<void> {
    const { socket } = this.#parts
    const deadline = performance.now() + RESUME_TIMEOUT_MS
    while (socket.readyState === socket.OPEN && socket.bufferedAmount > RESUME_WAITING_BYTES) {
      if (performance.now() > deadline) {
        this.close(closeCodes.tooSlow, 'reads too slowly; resume from the last sequence')
        return
      }
      await sleep(DRAIN_POLL_MS)
    }
  }

  #ended(): void {
    clearInterval(this.#heartbeat)
    for (const stop of this.#rooms.values()) stop?.()
    this.#rooms.clear()
  }

  #withinRate(): boolean {
    const now = performance.now()
    this.#allowance = Math.min(
      FRAMES_AT_ONCE,
      this.#allowance + ((now - this.#refilled) / 1_000) * FRAMES_PER_SECOND,
    )
    this.#refilled = now
    this.#allowance -= 1
    return this.#allowance >= 0
  }

  #receive(text: string, isBinary: boolean): void {
    if (!this.#withinRate()) {
      this.close(closeCodes.tooMany, 'sends too many frames')
      return
    }
    const frame = clientFrame.safeParse(isBinary ? undefined : jsonOrNull(text))
    if (!frame.success) {
      const mistake = new AkashiError('invalid_input', 'the frame is not valid', {
        detail: {
          errors: frame.error.issues.map(({ path, message }) => ({
            pointer: `/${path.join('/')}`,
            detail: message,
          })),
        },
      })
      this.#refuse(idOf(text), mistake)
      return
    }
    this.#queue = this.#queue.then(() => this.#handle(frame.data))
  }

  async #handle(frame: ClientFrame): Promise<void> {
    try {
      const result = await this.#perform(frame)
      if ('id' in frame) this.send({ type: 'answer', id: frame.id, result: result ?? null })
    } catch (error) {
      this.#refuse('id' in frame ? frame.id : null, error)
    }
  }

  #refuse(id: string | null, error: unknown): void {
    const problem = problemOf(error, id ?? '')
    if (problem.status >= INTERNAL) this.#parts.log.error({ err: error }, 'a frame of a socket failed')
    this.send({ type: 'refused', id, problem })
  }

  async #perform(frame: ClientFrame): Promise<unknown> {
    const { app, actor, feed, bus, secrets } = this.#parts
    switch (frame.type) {
      case 'subscribe':
        return await this.#subscribe(frame.roomId, frame.after)
      case 'unsubscribe':
        this.#rooms.get(frame.roomId)?.()
        this.#rooms.delete(frame.roomId)
        return null
      case 'send': {
        const message = await secrets.post(actor, frame.roomId, frame.message)
        feed.announce(message)
        return message
      }
      case 'read':
        await markRead(app, actor, frame.messageId)
        // So that the person's other devices show it as read too.
        bus.announce({ about: 'person', userId: this.userId, except: this.id })
        return null
      case 'typing':
        this.#typing(frame.roomId)
        return null
      case 'presence':
        return await this.#present(frame.status)
      default:
        return frame satisfies never
    }
  }

  async #present(status: PresenceStatus): Promise<void> {
    const { app, actor, bus, onPresence } = this.#parts
    onPresence()
    if (await setPresence(app, actor, status)) bus.announce({ about: 'presence', userId: this.userId })
  }

  #typing(roomId: string): void {
    if (!this.listensTo(roomId)) return
    this.#parts.feed.typing(roomId, this.userId)
  }

  async #subscribe(roomId: string, after: number | undefined): Promise<null> {
    const { feed, actor } = this.#parts
    if (!this.#rooms.has(roomId) && this.#rooms.size >= MAX_SUBSCRIPTIONS) {
      throw new AkashiError('too_large', `a socket can subscribe to at most ${MAX_SUBSCRIPTIONS} rooms`)
    }
    this.#rooms.get(roomId)?.()
    this.#rooms.set(roomId, null)
    const listener: Listener = {
      userId: this.userId,
      actor,
      onStart: (sequence, gap) => this.send({ type: 'subscribed', roomId, sequence, gap }),
      onEvent: (event, json) => this.#write(eventFrame(event, json)),
      drained: () => this.#drained(),
      isFull: () => this.#parts.socket.bufferedAmount > RESUME_WAITING_BYTES,
      isGone: () => this.#parts.socket.readyState !== this.#parts.socket.OPEN,
      onEnd: () => {
        this.#rooms.delete(roomId)
        this.send({ type: 'ended', roomId })
      },
      onTyping: (userId) => this.send({ type: 'typing', roomId, userId }),
    }
    const stop = await feed.subscribe(roomId, listener, after).catch((error: unknown) => {
      this.#rooms.delete(roomId)
      throw error
    })
    if (stop === null) {
      this.#rooms.delete(roomId)
      throw new AkashiError('not_found', 'room not found')
    }
    // The socket may have closed while the room was read.
    if (this.#parts.socket.readyState === this.#parts.socket.OPEN && this.#rooms.has(roomId))
      this.#rooms.set(roomId, stop)
    else stop()
    return null
  }
}

const eventFrames = new WeakMap<RoomEvent, Buffer>()

/** Serialized once for all subscribers of the same event. */
function eventFrame(event: RoomEvent, json: string): Buffer {
  const known = eventFrames.get(event)
  if (known !== undefined) return known
  const frame = Buffer.from(`{"type":"event","event":${json}}`)
  eventFrames.set(event, frame)
  return frame
}

/** The request id of an invalid frame, so that its sender knows which one was refused. */
function idOf(text: string): string | null {
  const frame = jsonOrNull(text)
  return typeof frame === 'object' && frame !== null && 'id' in frame && typeof frame.id === 'string'
    ? frame.id.slice(0, 64)
    : null
}
