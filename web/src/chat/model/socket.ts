/**
 * A WebSocket that is opened again whenever it breaks. Sends at most as fast as the server allows, matches
 * responses to requests, and detects connections that died without notice.
 */
import {
  type ClientNotice,
  type ClientRequest,
  closeCodes,
  FRAMES_AT_ONCE,
  FRAMES_PER_SECOND,
  type ServerFrame,
} from '@akashi/contract'
import { Problem, unreachable } from '../../api/problem.ts'

/** The part of a browser's WebSocket that is used. */
export interface SocketLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number }) => void) | null
  send(text: string): void
  close(code?: number): void
}

export type ConnectionState = 'connecting' | 'open' | 'waiting' | 'ended'

export interface ChatSocketOptions {
  readonly open: () => SocketLike
  readonly onFrame: (frame: ServerFrame) => void
  readonly onState: (state: ConnectionState) => void
  /** Whether the session is still valid; a refused connection does not show the reason. */
  readonly sessionHolds: () => Promise<boolean>
  readonly isOnline?: () => boolean
  readonly random?: () => number
}

const FIRST_DELAY_MS = 400
const LONGEST_DELAY_MS = 20_000
/** Part of what the server allows: it counts by a clock of its own. */
const SHARE = 0.7
const BURST = FRAMES_AT_ONCE * SHARE
const RATE = FRAMES_PER_SECOND * SHARE
const RESPONSE_MS = 20_000
/** After a silence of so many heartbeats the connection is tested. */
const SILENT_HEARTBEATS = 1.5
const OPEN_MS = 15_000
const NO_ROOM = '00000000-0000-0000-0000-000000000000'

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: ReturnType<typeof setTimeout>
}

export class ChatSocket {
  readonly #options: ChatSocketOptions
  readonly #waiting = new Map<string, Waiting>()
  #socket: SocketLike | null = null
  #state: ConnectionState = 'waiting'
  #stopped = true
  #attempts = 0
  #requests = 0
  #lastFrame = 0
  #heartbeatMs = 20_000
  #queue: string[] = []
  #allowance = BURST
  #refilled = 0
  #pace: ReturnType<typeof setTimeout> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #watch: ReturnType<typeof setInterval> | undefined

  constructor(options: ChatSocketOptions) {
    this.#options = options
  }

  start(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#connect()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#retry)
    this.#drop(false)
  }

  /** Connects without further delay, since the network or the reader is back. */
  reconnectNow(): void {
    if (this.#stopped || this.#state !== 'waiting') return
    clearTimeout(this.#retry)
    this.#attempts = 0
    this.#connect()
  }

  /** Gives up the connection, since the network is gone: what is sent would be lost without notice. */
  disconnect(): void {
    if (this.#stopped || this.#state === 'ended') return
    this.#drop(true)
  }

  /** Sends a frame that has no response, unless the connection is broken. */
  send(frame: ClientNotice): void {
    if (this.#state === 'open') this.#write(JSON.stringify(frame))
  }

  /** Rejects with Problem, with status 0 when it is unknown whether the request arrived. */
  request(frame: ClientRequest): Promise<unknown> {
    if (this.#state !== 'open') return Promise.reject(unreachable())
    this.#requests += 1
    const id = String(this.#requests)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#drop(true), RESPONSE_MS)
      this.#waiting.set(id, { resolve, reject, timer })
      this.#write(JSON.stringify({ ...frame, id }))
    })
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state) return
    this.#state = state
    this.#options.onState(state)
  }

  #connect(): void {
    if (this.#options.isOnline?.() === false) {
      this.#reconnectLater()
      return
    }
    this.#setState('connecting')
    const socket = this.#options.open()
    this.#socket = socket
    let greeted = false
    const opening = setTimeout(() => this.#drop(true), OPEN_MS)
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return
      this.#lastFrame = performance.now()
      const frame = frameOf(data)
      if (frame === null) return
      if (frame.type === 'hello') {
        clearTimeout(opening)
        greeted = true
        this.#attempts = 0
        this.#allowance = BURST
        this.#heartbeatMs = frame.heartbeatMs
        this.#watchSilence()
        this.#setState('open')
      }
      this.#settle(frame)
      this.#options.onFrame(frame)
    }
    socket.onclose = ({ code }) => {
      clearTimeout(opening)
      if (this.#socket !== socket) return
      if (code === closeCodes.sessionEnded) this.#end()
      else if (greeted) this.#drop(true)
      else void this.#findReason()
    }
  }

  async #findReason(): Promise<void> {
    this.#drop(true)
    if (!(await this.#options.sessionHolds().catch(() => true))) this.#end()
  }

  #end(): void {
    this.#stopped = true
    clearTimeout(this.#retry)
    this.#drop(false)
    this.#setState('ended')
  }

  #settle(frame: ServerFrame): void {
    if ((frame.type !== 'answer' && frame.type !== 'refused') || frame.id === null) return
    const request = this.#waiting.get(frame.id)
    if (request === undefined) return
    this.#waiting.delete(frame.id)
    clearTimeout(request.timer)
    if (frame.type === 'answer') request.resolve(frame.result)
    else request.reject(new Problem(frame.problem))
  }

  #drop(reconnect: boolean): void {
    const socket = this.#socket
    this.#socket = null
    clearInterval(this.#watch)
    clearTimeout(this.#pace)
    this.#pace = undefined
    this.#queue = []
    socket?.close()
    const requests = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject, timer } of requests) {
      clearTimeout(timer)
      reject(unreachable('the connection broke before the answer'))
    }
    if (reconnect && !this.#stopped) this.#reconnectLater()
  }

  /** Waits longer each time, with jitter, so that clients do not all return at once to a server that restarts. */
  #reconnectLater(): void {
    this.#setState('waiting')
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts)
    this.#attempts += 1
    const random = this.#options.random ?? Math.random
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#connect(), longest / 2 + (random() * longest) / 2)
  }

  /**
   * Browsers handle pings without notifying the page, so after a silence the client sends its own request.
   */
  #watchSilence(): void {
    clearInterval(this.#watch)
    this.#watch = setInterval(() => {
      if (performance.now() - this.#lastFrame < this.#heartbeatMs * SILENT_HEARTBEATS) return
      this.#lastFrame = performance.now()
      this.request({ type: 'unsubscribe', roomId: NO_ROOM }).catch(() => undefined)
    }, this.#heartbeatMs / 2)
  }

  #write(text: string): void {
    this.#queue.push(text)
    this.#flush()
  }

  #flush(): void {
    const now = performance.now()
    const earned = ((now - this.#refilled) / 1_000) * RATE
    this.#allowance = Math.min(BURST, this.#allowance + earned)
    this.#refilled = now
    while (this.#queue.length > 0 && this.#allowance >= 1) {
      const text = this.#queue.shift()
      if (text === undefined) break
      this.#allowance -= 1
      this.#socket?.send(text)
    }
    if (this.#queue.length > 0 && this.#pace === undefined) {
      this.#pace = setTimeout(() => {
        this.#pace = undefined
        this.#flush()
      }, 1_000 / RATE)
    }
  }
}

function frameOf(data: unknown): ServerFrame | null {
  if (typeof data !== 'string') return null
  try {
    const frame: unknown = JSON.parse(data)
    return isFrame(frame) ? frame : null
  } catch {
    return null
  }
}

function isFrame(value: unknown): value is ServerFrame {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}
