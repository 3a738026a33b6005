/**
 * Parses WAL record by record and reports where a recovery can stop: commits, aborts and restore
 * points. Layouts: PostgreSQL's access/xlogrecord.h, xlog_internal.h, xact.h; the same from 15 to 18.
 */
import { type Lsn, unixMicroseconds } from '../../postgres/index.ts'

export interface WalEvent {
  readonly kind: 'commit' | 'abort' | 'point'
  /** Start of the record, and earliest start of the next. */
  readonly start: Lsn
  readonly end: Lsn
  /** Microseconds since 1970, by the server's clock. */
  readonly timeUs: bigint
  /** 32 bits, without the epoch; 0 for a restore point. */
  readonly xid: number
  /** Name of a restore point, else empty. */
  readonly name: string
}

const PAGE_BYTES = 8192
const PAGE_HEADER_BYTES = 24
const SEGMENT_HEADER_BYTES = 40
const FIRST_IS_CONTINUATION = 1
const RECORD_HEADER_BYTES = 24
const ALIGNMENT = 8n

const RMGR_XLOG = 0
const RMGR_XACT = 1
const XLOG_SWITCH = 0x40
const XLOG_RESTORE_POINT = 0x70
const XACT_MASK = 0x70
const xactKinds: Readonly<Record<number, 'commit' | 'abort'>> = {
  0: 'commit',
  32: 'abort',
  48: 'commit',
  64: 'abort',
}

const BLOCK_ID_SHORT = 255
const BLOCK_ID_LONG = 254
const BLOCK_ID_ORIGIN = 253
const BLOCK_ID_TOP_XID = 252
const POINT_NAME_BYTES = 64
/** Enough for the record header and the data that is read. */
const KEPT_BYTES = 160

export class WalWalker {
  readonly #onEvent: (event: WalEvent) => void
  readonly #segmentBytes: bigint
  /** The next unread byte. */
  #at: Lsn
  #synced = false
  #recordStart: Lsn = 0n
  #left = 0
  readonly #kept = Buffer.alloc(KEPT_BYTES)
  #keptBytes = 0
  /** Start of the last complete record; undefined before the first. */
  lastRecord: Lsn | undefined

  /** @param start a segment boundary */
  constructor(start: Lsn, segmentBytes: number, onEvent: (event: WalEvent) => void) {
    this.#at = start
    this.#segmentBytes = BigInt(segmentBytes)
    this.#onEvent = onEvent
  }

  /** Continues parsing a segment as far as it is known. Call it for each segment in order, as often as it grows. */
  advance(segment: Buffer, segmentStart: Lsn, end: Lsn): void {
    while (this.#at < end) {
      const offset = Number(this.#at - segmentStart)
      const available = Number(end - this.#at)
      if (offset % PAGE_BYTES === 0) {
        if (!this.#passPageHeader(segment, offset, available)) return
        continue
      }
      const inPage = PAGE_BYTES - (offset % PAGE_BYTES)
      if (this.#left === 0) {
        if (this.#at % ALIGNMENT !== 0n) {
          this.#at += ALIGNMENT - (this.#at % ALIGNMENT)
          continue
        }
        if (available < 4) return
        this.#left = segment.readUInt32LE(offset)
        if (this.#left < RECORD_HEADER_BYTES) {
          // Only zeros: the unused rest of a page.
          this.#left = 0
          this.#at += BigInt(inPage)
          continue
        }
        this.#recordStart = this.#at
        this.#keptBytes = 0
      }
      const step = Math.min(this.#left, available, inPage)
      if (this.#keptBytes < KEPT_BYTES) {
        this.#keptBytes += segment.copy(this.#kept, this.#keptBytes, offset, offset + step)
      }
      this.#left -= step
      this.#at += BigInt(step)
      if (this.#left === 0) this.#finishRecord()
    }
  }

  /** false if the header is incomplete. */
  #passPageHeader(segment: Buffer, offset: number, available: number): boolean {
    const header = offset === 0 ? SEGMENT_HEADER_BYTES : PAGE_HEADER_BYTES
    if (available < header) return false
    if (!this.#synced) {
      // Skips a record that began before the start, since its header is unknown.
      this.#synced = true
      if ((segment.readUInt16LE(offset + 2) & FIRST_IS_CONTINUATION) !== 0) {
        this.#left = segment.readUInt32LE(offset + 16)
        this.#kept.fill(0)
        this.#keptBytes = KEPT_BYTES
        this.#kept[17] = 0xff
      }
    }
    this.#at += BigInt(header)
    return true
  }

  #finishRecord(): void {
    const record = this.#kept
    const rmgr = record[17]
    const info = record[16] ?? 0
    this.lastRecord = this.#recordStart
    if (rmgr === RMGR_XLOG && (info & 0xf0) === XLOG_SWITCH) {
      this.#at += (this.#segmentBytes - (this.#at % this.#segmentBytes)) % this.#segmentBytes
    } else if (rmgr === RMGR_XACT) {
      const kind = xactKinds[info & XACT_MASK]
      const data = this.#mainData()
      if (kind === undefined || data === undefined) return
      this.#report(kind, data, record.readUInt32LE(4), '')
    } else if (rmgr === RMGR_XLOG && (info & 0xf0) === XLOG_RESTORE_POINT) {
      const data = this.#mainData()
      if (data === undefined) return
      const text = record.toString('utf8', data + 8, data + 8 + POINT_NAME_BYTES)
      this.#report('point', data, 0, text.slice(0, text.indexOf('\0')))
    }
  }

  #report(kind: WalEvent['kind'], data: number, xid: number, name: string): void {
    const timeUs = unixMicroseconds(this.#kept.readBigInt64LE(data))
    this.#onEvent({ kind, start: this.#recordStart, end: this.#at, timeUs, xid, name })
  }

  /** Offset of the main data of a record without block references. */
  #mainData(): number | undefined {
    for (let at = RECORD_HEADER_BYTES; at < KEPT_BYTES - 8; ) {
      switch (this.#kept[at]) {
        case BLOCK_ID_ORIGIN:
          at += 3
          break
        case BLOCK_ID_TOP_XID:
          at += 5
          break
        case BLOCK_ID_SHORT:
          return at + 2
        case BLOCK_ID_LONG:
          return at + 5
        default:
          return undefined
      }
    }
    return undefined
  }
}
