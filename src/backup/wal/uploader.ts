import { setTimeout as sleep } from 'node:timers/promises'
import type { Lsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { putSealed } from '../store/sealed-object.ts'
import { beforeCommit, type WalPiece, walPieceName } from './names.ts'
import { type LostPlace, type WalEvent, WalWalker } from './walker.ts'

/** Milliseconds that received WAL waits for more before it is put; half of the RPO is left for the put itself. */
const FLUSH_MS = 400
/** Bytes of WAL that become one object; a smaller segment is one by itself. Bounds memory whatever the segment size. */
const CHUNK_BYTES = 16 * 1024 * 1024
/** Whole chunks queued before writers must wait. */
const CHUNKS_WAITING = 2
/** Pieces of one chunk after which they are merged into one. */
const MAX_PIECES = 32

interface Chunk {
  readonly start: Lsn
  readonly data: Buffer
  /** Pieces stored so far. */
  pieces: WalPiece[]
  received: Lsn
  /** As `commitMs` of {@link WalPiece}. */
  commitMs: number
}

/** Stores WAL: each whole chunk as one object, partial chunks as pieces that the chunk later replaces. */
export class WalUploader {
  readonly #backupStore: BackupStore
  readonly #key: DataKey
  readonly #timeline: number
  readonly #chunkBytes: number
  readonly #onFlushed: (received: Lsn, flushed: Lsn) => void
  readonly #walker: WalWalker
  readonly #full: Chunk[] = []
  #chunk: Chunk
  #flushed: Lsn
  #wake: (() => void) | undefined
  #room: (() => void) | undefined
  #ending = false
  #failure: unknown
  /** When the last commit was received, by the local clock. */
  lastCommitAt = Date.now()

  constructor(
    backupStore: BackupStore,
    key: DataKey,
    options: {
      readonly timeline: number
      readonly start: Lsn
      readonly segmentBytes: number
      /** Stored pieces; those of the first chunk are replaced too. */
      readonly existing: readonly WalPiece[]
      readonly onFlushed: (received: Lsn, flushed: Lsn) => void
      /** The WAL that the server sent cannot be read here: the moments after it are not known. */
      readonly onLost: (place: LostPlace) => void
    },
  ) {
    this.#backupStore = backupStore
    this.#key = key
    this.#timeline = options.timeline
    this.#chunkBytes = Math.min(options.segmentBytes, CHUNK_BYTES)
    this.#onFlushed = options.onFlushed
    this.#flushed = options.start
    const end = options.start + BigInt(this.#chunkBytes)
    const existing = options.existing.filter((piece) => piece.start >= options.start && piece.end <= end)
    this.#chunk = this.#newChunk(options.start, existing)
    const onEvent = (event: WalEvent) => {
      if (event.kind === 'point') return
      this.lastCommitAt = Date.now()
      this.#chunk.commitMs = Math.max(this.#chunk.commitMs, beforeCommit(event.timeUs))
    }
    this.#walker = new WalWalker(options.start, options.segmentBytes, onEvent, options.onLost)
  }

  get received(): Lsn {
    return this.#chunk.received
  }

  /** All WAL below it is stored. */
  get flushed(): Lsn {
    return this.#flushed
  }

  /** Resolves when there is room for more. */
  async write(data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const chunk = this.#chunk
      const offset = Number(chunk.received - chunk.start)
      const copied = data.copy(chunk.data, offset, at)
      at += copied
      chunk.received += BigInt(copied)
      this.#walker.advance(chunk.data, chunk.start, chunk.received)
      if (offset + copied === this.#chunkBytes) await this.#completeChunk()
    }
    this.#signal()
  }

  /** Runs until everything is stored after {@link WalUploader.end}. Rejects if the store is unavailable for too long. */
  async run(signal?: AbortSignal): Promise<void> {
    try {
      await this.#loop(signal)
    } catch (error) {
      this.#failure = error
      this.#room?.()
      throw error
    }
  }

  async #loop(signal?: AbortSignal): Promise<void> {
    for (;;) {
      const full = this.#full[0]
      if (full !== undefined) {
        await this.#putWhole(full, signal)
        this.#full.shift()
        this.#room?.()
      } else if (this.#chunk.received > this.#flushed) {
        if (!this.#ending) await this.#gather()
        if (this.#full.length === 0) await this.#putPiece(this.#chunk, signal)
      } else if (this.#ending) {
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  /** Ends the input: the rest is stored without waiting for more. */
  end(): void {
    this.#ending = true
    this.#signal()
  }

  /** Waits for more WAL, or for a whole chunk. */
  async #gather(): Promise<void> {
    const stop = new AbortController()
    const until = Date.now() + FLUSH_MS
    const timer = sleep(FLUSH_MS, undefined, { signal: stop.signal }).catch(() => undefined)
    while (Date.now() < until && this.#full.length === 0 && !this.#ending) {
      await Promise.race([timer, new Promise<void>((resolve) => (this.#wake = resolve))])
    }
    stop.abort()
  }

  async #putPiece(chunk: Chunk, signal?: AbortSignal): Promise<void> {
    // Recovery needs the commits of all pieces anyway, so the time of the chunk is that of its last piece.
    const merge = chunk.pieces.length >= MAX_PIECES
    const from = merge || this.#flushed < chunk.start ? chunk.start : this.#flushed
    const piece = await this.#put(chunk, from, signal)
    if (merge) await this.#remove(chunk, piece)
    chunk.pieces.push(piece)
  }

  async #putWhole(chunk: Chunk, signal?: AbortSignal): Promise<void> {
    await this.#remove(chunk, await this.#put(chunk, chunk.start, signal))
  }

  async #put(chunk: Chunk, start: Lsn, signal?: AbortSignal): Promise<WalPiece> {
    const end = chunk.received
    const described = { timeline: this.#timeline, start, end, commitMs: chunk.commitMs }
    const name = walPieceName(this.#backupStore.systemId, described)
    const data = chunk.data.subarray(Number(start - chunk.start), Number(end - chunk.start))
    await putSealed(this.#backupStore.store, this.#key, { kind: 'wal', name, data }, signal)
    this.#flushed = end
    this.#onFlushed(this.#chunk.received, end)
    return { name, ...described }
  }

  /** Removes the pieces replaced by `by`. After a failure the rest only costs space until the next prune. */
  async #remove(chunk: Chunk, by: WalPiece): Promise<void> {
    const replaced = chunk.pieces.filter(
      ({ name, start, end }) => name !== by.name && start >= by.start && end <= by.end,
    )
    chunk.pieces = chunk.pieces.filter((piece) => !replaced.includes(piece))
    for (const { name } of replaced) await this.#backupStore.store.delete(name).catch(() => undefined)
  }

  async #completeChunk(): Promise<void> {
    const chunk = this.#chunk
    this.#full.push(chunk)
    this.#chunk = this.#newChunk(chunk.received)
    this.#signal()
    while (this.#full.length > CHUNKS_WAITING) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#room = resolve
      })
    }
  }

  #newChunk(start: Lsn, existing: readonly WalPiece[] = []): Chunk {
    const data = Buffer.alloc(this.#chunkBytes)
    return { start, data, pieces: [...existing], received: start, commitMs: 0 }
  }

  #signal(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
