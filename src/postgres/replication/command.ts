import type { Connection, Submittable } from 'pg'
import type { Client } from '../client.ts'

declare module 'pg' {
  /** Missing in the driver's types. */
  interface Connection {
    sendCopyFromChunk(chunk: Buffer): void
    endCopyFrom(): void
  }
}

/** The messages of the server's response to a replication command, in order. */
export type Answer =
  | { readonly kind: 'columns' }
  | { readonly kind: 'row'; readonly fields: readonly (string | null)[] }
  | { readonly kind: 'complete' }
  | { readonly kind: 'copyIn' }
  | { readonly kind: 'copyBoth' }
  /** The bytes are valid until the next message is read: their memory is reused. */
  | { readonly kind: 'copy'; readonly data: Buffer }
  | { readonly kind: 'copyDone' }

/** Unread bytes at which the socket is paused; the driver itself would read without limit. */
const HIGH_WATER_BYTES = 512 * 1024

/** Unread messages share buffers of this size; a buffer for each would produce as much garbage as the backup is large. */
const SLAB_BYTES = 1024 * 1024

interface Slab {
  readonly memory: Buffer
  used: number
  /** Unread messages in it. */
  waiting: number
}

interface DataRow {
  readonly fields: readonly (string | Buffer | null)[]
}

/**
 * A command of the replication protocol and its response, read with back-pressure. It has succeeded only
 * when the iteration ends: the server may fail after the last byte.
 */
export class Command implements Submittable, AsyncIterable<Answer> {
  readonly #text: string
  readonly #client: Client
  #queue: { readonly answer: Answer; readonly slab?: Slab }[] = []
  #slab: Slab = newSlab(SLAB_BYTES)
  #spare: Slab | undefined
  #bytes = 0
  #paused = false
  #ended = false
  #failure: Error | undefined
  #wake: (() => void) | undefined
  readonly #onCopyBoth = () => this.#add({ kind: 'copyBoth' })
  readonly #onCopyDone = () => this.#add({ kind: 'copyDone' })

  constructor(client: Client, text: string) {
    this.#client = client
    this.#text = text
  }

  submit(connection: Connection): void {
    connection.on('replicationStart', this.#onCopyBoth)
    connection.on('copyDone', this.#onCopyDone)
    connection.query(this.#text)
  }

  handleRowDescription(): void {
    this.#add({ kind: 'columns' })
  }

  handleDataRow({ fields }: DataRow): void {
    this.#add({ kind: 'row', fields: fields.map((field) => (field === null ? null : field.toString())) })
  }

  handleCommandComplete(): void {
    this.#add({ kind: 'complete' })
  }

  handleEmptyQuery(): void {
    this.#add({ kind: 'complete' })
  }

  handleCopyInResponse(): void {
    this.#add({ kind: 'copyIn' })
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    // The parser reuses its buffer.
    const slab = this.#slabFor(chunk.length)
    const data = slab.memory.subarray(slab.used, slab.used + chunk.length)
    chunk.copy(data)
    slab.used += chunk.length
    slab.waiting += 1
    this.#bytes += chunk.length
    this.#add({ kind: 'copy', data }, slab)
    if (this.#bytes > HIGH_WATER_BYTES && !this.#paused) {
      this.#paused = true
      this.#client.connection.stream.pause()
    }
  }

  handleError(error: Error): void {
    this.#failure ??= error
    this.#finish()
  }

  handleReadyForQuery(): void {
    this.#finish()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Answer, void, undefined> {
    for (;;) {
      while (this.#queue.length > 0) {
        const answers = this.#queue
        this.#queue = []
        for (const { answer, slab } of answers) {
          yield answer
          if (answer.kind === 'copy') this.#consumed(answer.data.length)
          if (slab !== undefined) this.#release(slab)
        }
      }
      if (this.#failure !== undefined) throw this.#failure
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #consumed(bytes: number): void {
    this.#bytes -= bytes
    if (this.#paused && this.#bytes <= HIGH_WATER_BYTES / 2) {
      this.#paused = false
      this.#client.connection.stream.resume()
    }
  }

  #slabFor(bytes: number): Slab {
    if (this.#slab.used + bytes > this.#slab.memory.length) {
      this.#slab = this.#spare ?? newSlab(Math.max(SLAB_BYTES, bytes))
      this.#spare = undefined
      if (bytes > this.#slab.memory.length) this.#slab = newSlab(bytes)
    }
    return this.#slab
  }

  #release(slab: Slab): void {
    slab.waiting -= 1
    if (slab.waiting > 0) return
    slab.used = 0
    if (slab !== this.#slab) this.#spare = slab
  }

  #add(answer: Answer, slab?: Slab): void {
    this.#queue.push(slab === undefined ? { answer } : { answer, slab })
    this.#signal()
  }

  #finish(): void {
    this.#ended = true
    this.#client.connection.off('replicationStart', this.#onCopyBoth)
    this.#client.connection.off('copyDone', this.#onCopyDone)
    this.#signal()
  }

  #signal(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

function newSlab(bytes: number): Slab {
  return { memory: Buffer.allocUnsafeSlow(bytes), used: 0, waiting: 0 }
}
