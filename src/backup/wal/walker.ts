/**
 * Reads WAL record by record, as PostgreSQL's reader does, and reports where a recovery can stop: commits, aborts
 * and restore points. Layouts: PostgreSQL's access/xlogrecord.h, xlog_internal.h, xact.h; the same from 15 to 18.
 *
 * Every page header and the checksum of every record are checked. What does not fit is reported as a lost place,
 * and reading goes on where the next page says that a record begins.
 */
import { type Lsn, unixMicroseconds } from '../../postgres/index.ts'
import { CRC_START, crc32c, crcEnd } from './crc32c.ts'
import { headerBytes, PAGE_BYTES, readPageHeader } from './page-header.ts'

export interface WalEvent {
  readonly kind: 'commit' | 'abort' | 'point'
  /** End of the record before, start of the record, and earliest start of the next. */
  readonly previousEnd: Lsn
  readonly start: Lsn
  readonly end: Lsn
  /** Microseconds since 1970, by the server's clock. */
  readonly timeUs: bigint
  /** 32 bits, without the epoch; 0 for a restore point. */
  readonly xid: number
  /** Name of a restore point, else empty. */
  readonly name: string
}

/** A place at which WAL cannot be read: what was committed from there to the next page is unknown. */
export interface LostPlace {
  readonly at: Lsn
  readonly reason: string
}

const RECORD_HEADER_BYTES = 24
/** The checksum is last in the header, and covers it after the rest. */
const CRC_OFFSET = 20
const ALIGNMENT = 8n
/** XLogRecordMaxSize */
const MAX_RECORD_BYTES = 1020 * 1024 * 1024
/** What a record that changes the segment can have in the next segment: 8 of its 24 bytes are in its own. */
const MAX_SWITCH_REST_BYTES = 16

const RMGR_XLOG = 0
const RMGR_XACT = 1
const XLOG_SWITCH = 0x40
const XLOG_RESTORE_POINT = 0x70
const INFO_MASK = 0xf0
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

/** What the bytes at the walker's position are. */
type State =
  /** between records */
  | 'idle'
  /** in a record that is read */
  | 'record'
  /** in the rest of a record that began before the start, or before a lost place */
  | 'rest'
  /** nothing is known until the next page */
  | 'lost'

export class WalWalker {
  readonly #onEvent: (event: WalEvent) => void
  readonly #onLost: (place: LostPlace) => void
  readonly #segmentBytes: bigint
  /** The next unread byte. */
  #at: Lsn
  /** `lost` before the first page: where reading starts, nothing is known about the record before it. */
  #state: State = 'lost'
  #begun = false
  #recordStart: Lsn = 0n
  #previousEnd: Lsn
  #recordBytes = 0
  /** Bytes of the record that are still to come. */
  #left = 0
  /** Bytes that the first page continues, until something follows them. */
  #startRest = 0
  readonly #kept = Buffer.alloc(KEPT_BYTES)
  #keptBytes = 0
  #crc = CRC_START
  /** Start and end of the last complete record; undefined before the first. */
  lastRecord: { readonly start: Lsn; readonly end: Lsn } | undefined

  /** @param start a segment boundary */
  constructor(
    start: Lsn,
    segmentBytes: number,
    onEvent: (event: WalEvent) => void,
    onLost: (place: LostPlace) => void,
  ) {
    this.#at = start
    this.#previousEnd = start
    this.#segmentBytes = BigInt(segmentBytes)
    this.#onEvent = onEvent
    this.#onLost = onLost
  }

  /**
   * Goes on as far as WAL is known. Call it for each stretch in order, as often as it grows.
   *
   * @param data holds the WAL from `dataStart`, a page boundary, to `end`
   */
  advance(data: Buffer, dataStart: Lsn, end: Lsn): void {
    while (this.#at < end) {
      const offset = Number(this.#at - dataStart)
      const available = Number(end - this.#at)
      const inPage = offset % PAGE_BYTES
      if (inPage === 0) {
        if (available < headerBytes(this.#at, this.#segmentBytes)) return
        this.#passPageHeader(data, offset)
      } else if (this.#state === 'lost') {
        this.#skip(PAGE_BYTES - inPage)
      } else {
        if (this.#state === 'idle' && !this.#beginRecord(data, offset, available)) return
        if (this.#state === 'record' || this.#state === 'rest') {
          this.#readRecord(data, offset, Math.min(this.#left, available, PAGE_BYTES - inPage))
        }
      }
    }
  }

  #passPageHeader(data: Buffer, offset: number): void {
    const header = readPageHeader(data, offset, this.#at, this.#segmentBytes)
    if (typeof header === 'string') {
      this.#lose(header)
      this.#skip(PAGE_BYTES)
      return
    }
    const expected = this.#state === 'record' || this.#state === 'rest' ? this.#left : 0
    if (this.#state === 'lost') {
      if (!this.#begun) this.#startRest = header.continued
      this.#begun = true
      this.#enter(header.continued)
    } else if (header.abandons) {
      this.#enter(0)
    } else if (header.continued !== expected) {
      this.#lose('the page does not continue the record before it')
      this.#enter(header.continued)
    }
    this.#at += BigInt(header.bytes)
  }

  /** After a page header: in the rest of a record whose beginning is not known, or before a record. */
  #enter(rest: number): void {
    this.#left = rest
    this.#state = rest > 0 ? 'rest' : 'idle'
  }

  /** false if more must be known. */
  #beginRecord(data: Buffer, offset: number, available: number): boolean {
    const padding = (ALIGNMENT - (this.#at % ALIGNMENT)) % ALIGNMENT
    if (padding > 0n) {
      this.#at += padding
      return true
    }
    if (available < 4) return false
    const bytes = data.readUInt32LE(offset)
    if (bytes === 0 && this.#startRest > 0 && this.#startRest <= MAX_SWITCH_REST_BYTES) {
      // The record before the start changed the segment and ended in this one, which is empty then.
      this.#startRest = 0
      this.#toNextSegment()
      return true
    }
    this.#startRest = 0
    if (bytes < RECORD_HEADER_BYTES || bytes > MAX_RECORD_BYTES) {
      this.#lose('no record begins here')
      return true
    }
    this.#state = 'record'
    this.#recordStart = this.#at
    this.#recordBytes = bytes
    this.#left = bytes
    this.#keptBytes = 0
    this.#crc = CRC_START
    return true
  }

  #readRecord(data: Buffer, offset: number, step: number): void {
    if (this.#state === 'record') {
      const read = this.#recordBytes - this.#left
      if (this.#keptBytes < KEPT_BYTES) {
        this.#keptBytes += data.copy(this.#kept, this.#keptBytes, offset, offset + step)
      }
      const body = Math.max(0, RECORD_HEADER_BYTES - read)
      if (body < step) this.#crc = crc32c(this.#crc, data, offset + body, offset + step)
    }
    this.#left -= step
    this.#at += BigInt(step)
    if (this.#left > 0) return
    const complete = this.#state === 'record'
    this.#state = 'idle'
    if (complete) this.#finishRecord()
  }

  #finishRecord(): void {
    const record = this.#kept
    const crc = crcEnd(crc32c(this.#crc, record, 0, CRC_OFFSET))
    if (crc !== record.readUInt32LE(CRC_OFFSET)) {
      this.#lose('the checksum of a record is wrong')
      return
    }
    const info = record[16] ?? 0
    const rmgr = record[17]
    const start = this.#recordStart
    if (rmgr === RMGR_XLOG && (info & INFO_MASK) === XLOG_SWITCH) this.#toNextSegment()
    else this.#at += (ALIGNMENT - (this.#at % ALIGNMENT)) % ALIGNMENT
    const end = this.#at
    if (rmgr === RMGR_XACT) this.#reportEnd(xactKinds[info & XACT_MASK])
    else if (rmgr === RMGR_XLOG && (info & INFO_MASK) === XLOG_RESTORE_POINT) this.#reportPoint()
    this.#previousEnd = end
    this.lastRecord = { start, end }
  }

  #reportEnd(kind: 'commit' | 'abort' | undefined): void {
    const data = this.#mainData()
    if (kind !== undefined && data !== undefined) this.#report(kind, data, this.#kept.readUInt32LE(4), '')
  }

  #reportPoint(): void {
    const data = this.#mainData()
    if (data === undefined) return
    const text = this.#kept.toString('utf8', data + 8, data + 8 + POINT_NAME_BYTES)
    this.#report('point', data, 0, text.slice(0, text.indexOf('\0')))
  }

  #report(kind: WalEvent['kind'], data: number, xid: number, name: string): void {
    const timeUs = unixMicroseconds(this.#kept.readBigInt64LE(data))
    const previousEnd = this.#previousEnd
    this.#onEvent({ kind, previousEnd, start: this.#recordStart, end: this.#at, timeUs, xid, name })
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

  #lose(reason: string): void {
    this.#state = 'lost'
    this.#startRest = 0
    this.#begun = true
    this.#onLost({ at: this.#at, reason })
  }

  #skip(bytes: number): void {
    this.#at += BigInt(bytes)
  }

  #toNextSegment(): void {
    this.#at += (this.#segmentBytes - (this.#at % this.#segmentBytes)) % this.#segmentBytes
  }
}
