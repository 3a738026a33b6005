import { setTimeout as sleep } from 'node:timers/promises'
import type { Lsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { putSealed } from '../store/sealed-object.ts'
import { beforeCommit, type WalPiece, walPieceName } from './names.ts'
import { WalWalker } from './walker.ts'

/** Milliseconds that received WAL waits for more before it is put; half of the RPO is left for the put itself. */
const FLUSH_MS = 400
/** Whole segments queued before writers must wait; usually 16 MiB each. */
const SEGMENTS_WAITING = 2
/** Pieces of one segment after which they are merged into one. */
const MAX_PIECES = 32

interface Segment {
  readonly start: Lsn
  readonly data: Buffer
  /** Pieces stored so far. */
  pieces: WalPiece[]
  received: Lsn
  /** As `commitMs` of {@link WalPiece}. */
  commitMs: number
}

/** Stores WAL: each whole segment as one object, partial segments as pieces that the segment later replaces. */
export class WalUploader {
  readonly #backupStore: BackupStore
  readonly #key: DataKey
  readonly #timeline: number
  readonly #segmentBytes: number
  readonly #onFlushed: (received: Lsn, flushed: Lsn) => void
  readonly #walker: WalWalker
  readonly #full: Segment[] = []
  #segment: Segment
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
      /** Stored pieces of the first segment, to be replaced too. */
      readonly existing: readonly WalPiece[]
      readonly onFlushed: (received: Lsn, flushed: Lsn) => void
    },
  ) {
    this.#backupStore = backupStore
    this.#key = key
    this.#timeline = options.timeline
    this.#segmentBytes = options.segmentBytes
    this.#onFlushed = options.onFlushed
    this.#flushed = options.start
    this.#segment = this.#newSegment(options.start, options.existing)
    this.#walker = new WalWalker(options.start, options.segmentBytes, (event) => {
      if (event.kind === 'point') return
      this.lastCommitAt = Date.now()
      this.#segment.commitMs = Math.max(this.#segment.commitMs, beforeCommit(event.timeUs))
    })
  }

  get received(): Lsn {
    return this.#segment.received
  }

  /** All WAL below it is stored. */
  get flushed(): Lsn {
    return this.#flushed
  }

  /** Resolves when there is room for more. */
  async write(data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const segment = this.#segment
      const offset = Number(segment.received - segment.start)
      const copied = data.copy(segment.data, offset, at)
      at += copied
      segment.received += BigInt(copied)
      this.#walker.advance(segment.data, segment.start, segment.received)
      if (offset + copied === this.#segmentBytes) await this.#completeSegment()
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
      } else if (this.#segment.received > this.#flushed) {
        if (!this.#ending) await this.#gather()
        if (this.#full.length === 0) await this.#putPiece(this.#segment, signal)
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

  /** Waits for more WAL, or for a whole segment. */
  async #gather(): Promise<void> {
    const stop = new AbortController()
    const until = Date.now() + FLUSH_MS
    const timer = sleep(FLUSH_MS, undefined, { signal: stop.signal }).catch(() => undefined)
    while (Date.now() < until && this.#full.length === 0 && !this.#ending) {
      await Promise.race([timer, new Promise<void>((resolve) => (this.#wake = resolve))])
    }
    stop.abort()
  }

  async #putPiece(segment: Segment, signal?: AbortSignal): Promise<void> {
    // Recovery needs the commits of all pieces anyway, so the time of the segment is that of its last piece.
    const merge = segment.pieces.length >= MAX_PIECES
    const from = merge || this.#flushed < segment.start ? segment.start : this.#flushed
    const piece = await this.#put(segment, from, signal)
    if (merge) await this.#remove(segment, piece)
    segment.pieces.push(piece)
  }

  async #putWhole(segment: Segment, signal?: AbortSignal): Promise<void> {
    await this.#remove(segment, await this.#put(segment, segment.start, signal))
  }

  async #put(segment: Segment, start: Lsn, signal?: AbortSignal): Promise<WalPiece> {
    const end = segment.received
    const described = { timeline: this.#timeline, start, end, commitMs: segment.commitMs }
    const name = walPieceName(this.#backupStore.systemId, described)
    const data = segment.data.subarray(Number(start - segment.start), Number(end - segment.start))
    await putSealed(this.#backupStore.store, this.#key, { kind: 'wal', name, data }, signal)
    this.#flushed = end
    this.#onFlushed(this.#segment.received, end)
    return { name, ...described }
  }

  /** Removes the pieces replaced by `by`. After a failure the rest only costs space until the next prune. */
  async #remove(segment: Segment, by: WalPiece): Promise<void> {
    const replaced = segment.pieces.filter(
      ({ name, start, end }) => name !== by.name && start >= by.start && end <= by.end,
    )
    segment.pieces = segment.pieces.filter((piece) => !replaced.includes(piece))
    for (const { name } of replaced) await this.#backupStore.store.delete(name).catch(() => undefined)
  }

  async #completeSegment(): Promise<void> {
    const segment = this.#segment
    this.#full.push(segment)
    this.#segment = this.#newSegment(segment.received)
    this.#signal()
    while (this.#full.length > SEGMENTS_WAITING) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#room = resolve
      })
    }
  }

  #newSegment(start: Lsn, existing: readonly WalPiece[] = []): Segment {
    const data = Buffer.alloc(this.#segmentBytes)
    return { start, data, pieces: [...existing], received: start, commitMs: 0 }
  }

  #signal(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
