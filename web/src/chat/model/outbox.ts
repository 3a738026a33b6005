/**
 * Messages that are being sent. Each has a client id: sent again with it, it is the same message to the server,
 * so a message whose response was lost is simply sent again. Sending one at a time in a room keeps their order.
 */
import type { Message, NewMessage } from '@akashi/contract'
import { isTransient, Problem } from '../../api/problem.ts'
import { Observable } from './observable.ts'

export interface Pending {
  readonly clientId: string
  readonly roomId: string
  readonly message: Omit<NewMessage, 'clientId'>
  /** Shown until the server's copy arrives. */
  readonly fileName: string | null
  readonly replyTo: Message['replyTo']
  readonly createdAt: string
  readonly state: 'waiting' | 'sending' | 'failed'
  /** Error code of the server's refusal. */
  readonly problem: string | null
}

/** A place for text that survives a reload of the page and ends with the tab. */
export interface TextStorage {
  read(): string | null
  write(text: string): void
}

export interface OutboxOptions {
  /** Resolves with the server's copy; rejects with Problem. */
  readonly send: (pending: Pending) => Promise<Message>
  readonly onSent: (message: Message) => void
  readonly storage: TextStorage
}

const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 30_000

export class Outbox {
  readonly pending: Observable<readonly Pending[]>
  readonly #options: OutboxOptions
  readonly #busy = new Set<string>()
  readonly #delays = new Map<string, number>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #open = false

  constructor(options: OutboxOptions) {
    this.#options = options
    this.pending = new Observable(restored(options.storage))
  }

  /** Whether there is a connection to send over. */
  setOpen(open: boolean): void {
    this.#open = open
    if (!open) return
    this.#delays.clear()
    for (const roomId of new Set(this.pending.get().map((one) => one.roomId))) void this.#drain(roomId)
  }

  add(pending: Omit<Pending, 'state' | 'problem'>): void {
    this.#set([...this.pending.get(), { ...pending, state: 'waiting', problem: null }])
    void this.#drain(pending.roomId)
  }

  retry(clientId: string): void {
    this.#put(clientId, { state: 'waiting', problem: null })
    const roomId = this.pending.get().find((one) => one.clientId === clientId)?.roomId
    if (roomId !== undefined) void this.#drain(roomId)
  }

  discard(clientId: string): void {
    this.#set(this.pending.get().filter((one) => one.clientId !== clientId))
  }

  /** Stops sending; what was not sent stays stored for the next time the person signs in. */
  close(): void {
    this.#open = false
    for (const timer of this.#timers) clearTimeout(timer)
  }

  async #drain(roomId: string): Promise<void> {
    if (!this.#open || this.#busy.has(roomId)) return
    this.#busy.add(roomId)
    try {
      for (;;) {
        const next = this.pending.get().find((one) => one.roomId === roomId && one.state === 'waiting')
        if (next === undefined || !this.#open || !(await this.#deliver(next))) return
      }
    } finally {
      this.#busy.delete(roomId)
    }
  }

  /** Resolves with whether the room's next message may be sent. */
  async #deliver(pending: Pending): Promise<boolean> {
    const { clientId, roomId } = pending
    this.#put(clientId, { state: 'sending' })
    try {
      const message = await this.#options.send(pending)
      this.#delays.delete(roomId)
      this.discard(clientId)
      this.#options.onSent(message)
      return true
    } catch (error) {
      if (!isTransient(error)) {
        this.#put(clientId, {
          state: 'failed',
          problem: error instanceof Problem ? error.code : 'internal',
        })
        return true
      }
      this.#put(clientId, { state: 'waiting' })
      this.#later(roomId)
      return false
    }
  }

  #later(roomId: string): void {
    const delay = this.#delays.get(roomId) ?? FIRST_DELAY_MS
    this.#delays.set(roomId, Math.min(LONGEST_DELAY_MS, delay * 2))
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#drain(roomId)
    }, delay)
    this.#timers.add(timer)
  }

  #put(clientId: string, changes: Partial<Pending>): void {
    this.#set(this.pending.get().map((one) => (one.clientId === clientId ? { ...one, ...changes } : one)))
  }

  #set(pending: readonly Pending[]): void {
    this.pending.set(pending)
    this.#options.storage.write(JSON.stringify(pending))
  }
}

function restored(storage: TextStorage): readonly Pending[] {
  try {
    const list: unknown = JSON.parse(storage.read() ?? '[]')
    if (!Array.isArray(list)) return []
    return list.filter(isPending).map((one) => (one.state === 'sending' ? { ...one, state: 'waiting' } : one))
  } catch {
    return []
  }
}

function isPending(value: unknown): value is Pending {
  return (
    typeof value === 'object' &&
    value !== null &&
    'clientId' in value &&
    typeof value.clientId === 'string' &&
    'roomId' in value &&
    typeof value.roomId === 'string' &&
    'message' in value &&
    typeof value.message === 'object'
  )
}
