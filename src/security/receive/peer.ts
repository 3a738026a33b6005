/**
 * One sender of syslog. Its messages are read only as fast as they are stored, and do not delay other
 * senders.
 */
import type { Socket } from 'node:net'
import type { ParsedBatch } from '../ingest/format.ts'
import { createEventParser, type EventParser, type ParseOptions } from '../ingest/parse.ts'
import { FrameReader } from './frames.ts'

/** Messages of one peer that are queued before reading from it pauses. */
const MAX_WAITING_MESSAGES = 2_000
const MAX_WAITING_BYTES = 1_048_576
/** A peer that sends nothing for this long is disconnected. */
const IDLE_TIMEOUT_MS = 600_000
/** A parser detects times in the future relative to its own creation. */
const PARSER_AGE_MS = 3_600_000
/**
 * Older events have to be loaded from a file: each past day is a partition, and a peer could create
 * thousands.
 */
const OLDEST_MS = 7 * 86_400_000

const NEWLINE = Buffer.from('\n')

type SshdOptions = Omit<Extract<ParseOptions, { format: 'sshd' }>, 'asOf' | 'year' | 'format' | 'earliest'>

export interface PeerParts {
  readonly options: SshdOptions
  /** Milliseconds within which a message must be complete once it has begun. */
  readonly messageMs: number
  readonly onMessages: () => void
  readonly onProblem: (problem: string) => void
}

export class Peer {
  readonly address: string
  readonly #socket: Socket
  readonly #parts: PeerParts
  readonly #frames = new FrameReader()
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #parser: EventParser | null = null
  #parserSince = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  /** Messages that were too long. */
  discarded = 0

  constructor(socket: Socket, address: string, parts: PeerParts) {
    this.#socket = socket
    this.address = address
    this.#parts = parts
    socket.setTimeout(IDLE_TIMEOUT_MS, () => {
      // A peer whose reading is paused is not idle.
      if (!socket.isPaused()) this.#drop('it sent nothing')
    })
    socket.on('data', (chunk: Buffer) => this.#data(chunk))
    socket.on('error', () => socket.destroy())
    // A line without an ending is complete only if the peer closed the connection properly; a broken
    // connection can cut it anywhere.
    socket.on('end', () => {
      const last = this.#frames.end()
      this.#add(last === null ? [] : [last])
    })
    socket.on('close', () => this.#end())
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Whether it can no longer send anything. */
  get isDone(): boolean {
    return this.#isClosed && this.#waiting.length === 0
  }

  /** Parses the first queued messages, at most `count`. */
  take(count: number, now: Date): ParsedBatch {
    const messages = this.#waiting.splice(0, count)
    for (const { length } of messages) this.#waitingBytes -= length
    if (!this.#isClosed && this.#socket.isPaused() && this.#hasRoom) {
      this.#socket.resume()
      this.#watch()
    }
    if (this.#parser === null || now.getTime() - this.#parserSince > PARSER_AGE_MS) {
      this.#parser = createEventParser({
        ...this.#parts.options,
        format: 'sshd',
        year: null,
        asOf: now,
        earliest: new Date(now.getTime() - OLDEST_MS),
      })
      this.#parserSince = now.getTime()
    }
    return this.#parser.push(Buffer.concat(messages.flatMap((message) => [oneLine(message), NEWLINE])))
  }

  close(): void {
    this.#socket.destroy()
  }

  get #hasRoom(): boolean {
    return this.#waiting.length < MAX_WAITING_MESSAGES && this.#waitingBytes < MAX_WAITING_BYTES
  }

  #data(chunk: Uint8Array): void {
    try {
      const { messages, discarded } = this.#frames.push(chunk)
      this.discarded += discarded
      this.#add(messages)
      if (messages.length > 0) this.#unwatch()
    } catch (error) {
      this.#drop(error instanceof Error ? error.message : String(error))
      return
    }
    if (!this.#hasRoom) this.#socket.pause()
    this.#watch()
  }

  #add(messages: readonly Uint8Array[]): void {
    if (messages.length === 0) return
    for (const message of messages) {
      this.#waiting.push(message)
      this.#waitingBytes += message.length
    }
    this.#parts.onMessages()
  }

  /**
   * The time limit of a message runs from its first byte, so that sending a byte now and then does not extend
   * it.
   */
  #watch(): void {
    if (!this.#frames.isWithin || this.#socket.isPaused()) this.#unwatch()
    else this.#timer ??= setTimeout(() => this.#drop('it did not complete a message'), this.#parts.messageMs)
  }

  #unwatch(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #drop(problem: string): void {
    this.#parts.onProblem(problem)
    this.#socket.destroy()
  }

  #end(): void {
    this.#unwatch()
    this.#isClosed = true
    this.#parts.onMessages()
  }
}

/** A line ending inside a message would create lines that the sender did not write. */
function oneLine(message: Uint8Array): Uint8Array {
  if (message.indexOf(10) < 0) return message
  return Buffer.from(Buffer.from(message).toString('utf8').trimEnd().replaceAll(/\r?\n/g, '\u240a'))
}
