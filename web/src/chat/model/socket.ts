/**
 * One WebSocket that is opened again whenever it breaks. It paces what it sends below the server's limit,
 * matches answers to requests, and notices a connection that died in silence.
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

export type Link = 'connecting' | 'open' | 'waiting' | 'ended'

export interface ChatSocketOptions {
  readonly open: () => SocketLike
  readonly onFrame: (frame: ServerFrame) => void
  readonly onLink: (link: Link) => void
  /** Answers whether the session still holds; asked when a connection was refused, which tells no reason. */
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
const ANSWER_MS = 20_000
/** Silence of so many heartbeats is asked about. */
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
  #link: Link = 'waiting'
  #stopped = true
  #attempts = 0
  #requests = 0
  #heard = 0
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

  /** The network is said to be back, or the page to be looked at again: no reason to wait any longer. */
  hurry(): void {
    if (this.#stopped || this.#link !== 'waiting') return
    clearTimeout(this.#retry)
    this.#attempts = 0
    this.#connect()
  }

  /** The network is said to be gone: what is sent into it would be lost without a word. */
  lost(): void {
    if (this.#stopped || this.#link === 'ended') return
    this.#drop(true)
  }

  word(frame: ClientNotice): void {
    if (this.#link === 'open') this.#write(JSON.stringify(frame))
  }

  /** Rejects with Problem; of status 0 when it is not known whether the request arrived. */
  ask(frame: ClientRequest): Promise<unknown> {
    if (this.#link !== 'open') return Promise.reject(unreachable())
    this.#requests += 1
    const id = String(this.#requests)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#drop(true), ANSWER_MS)
      this.#waiting.set(id, { resolve, reject, timer })
      this.#write(JSON.stringify({ ...frame, id }))
    })
  }

  #become(link: Link): void {
    if (this.#link === link) return
    this.#link = link
    this.#options.onLink(link)
  }

  #connect(): void {
    if (this.#options.isOnline?.() === false) {
      this.#later()
      return
    }
    this.#become('connecting')
    const socket = this.#options.open()
    this.#socket = socket
    let greeted = false
    const opening = setTimeout(() => this.#drop(true), OPEN_MS)
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return
      this.#heard = performance.now()
      const frame = frameOf(data)
      if (frame === null) return
      if (frame.type === 'hello') {
        clearTimeout(opening)
        greeted = true
        this.#attempts = 0
        this.#allowance = BURST
        this.#heartbeatMs = frame.heartbeatMs
        this.#watchSilence()
        this.#become('open')
      }
      this.#settle(frame)
      this.#options.onFrame(frame)
    }
    socket.onclose = ({ code }) => {
      clearTimeout(opening)
      if (this.#socket !== socket) return
      if (code === closeCodes.sessionEnded) this.#end()
      else if (greeted) this.#drop(true)
      else void this.#askWhy()
    }
  }

  async #askWhy(): Promise<void> {
    this.#drop(true)
    if (!(await this.#options.sessionHolds().catch(() => true))) this.#end()
  }

  #end(): void {
    this.#stopped = true
    clearTimeout(this.#retry)
    this.#drop(false)
    this.#become('ended')
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

  #drop(again: boolean): void {
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
    if (again && !this.#stopped) this.#later()
  }

  /** Exponential, with jitter over the upper half, so that a server that comes back is not stormed. */
  #later(): void {
    this.#become('waiting')
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts)
    this.#attempts += 1
    const random = this.#options.random ?? Math.random
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#connect(), longest / 2 + (random() * longest) / 2)
  }

  /** A browser answers pings by itself and tells nobody, so silence is met with a question of our own. */
  #watchSilence(): void {
    clearInterval(this.#watch)
    this.#watch = setInterval(() => {
      if (performance.now() - this.#heard < this.#heartbeatMs * SILENT_HEARTBEATS) return
      this.#heard = performance.now()
      this.ask({ type: 'unsubscribe', roomId: NO_ROOM }).catch(() => undefined)
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
