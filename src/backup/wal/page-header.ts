/** The header of each WAL page (PostgreSQL's access/xlog_internal.h; the same layout from 15 to 18). */
import type { Lsn } from '../../postgres/index.ts'

export const PAGE_BYTES = 8192
const SHORT_HEADER_BYTES = 24
/** Of the first page of a segment. */
const LONG_HEADER_BYTES = 40

const FIRST_IS_CONTRECORD = 1
const LONG_HEADER = 2
const FIRST_IS_OVERWRITE_CONTRECORD = 8
const KNOWN_FLAGS = 0xf
/** `XLOG_PAGE_MAGIC` is 0xD110 in 15 and rises with each version. */
const MAGIC_PREFIX = 0xd1

export interface PageHeader {
  readonly bytes: number
  /** The page begins with this many bytes of a record that began before it. */
  readonly continued: number
  /** The record that began before it was given up in a crash: the page begins with a new one. */
  readonly abandons: boolean
}

/** Bytes of the header at a position. */
export function headerBytes(at: Lsn, segmentBytes: bigint): number {
  return at % segmentBytes === 0n ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES
}

/** The header at `offset`, all of which must be there; a text says what is wrong with it. */
export function readPageHeader(
  page: Buffer,
  offset: number,
  at: Lsn,
  segmentBytes: bigint,
): PageHeader | string {
  const bytes = headerBytes(at, segmentBytes)
  const flags = page.readUInt16LE(offset + 2)
  if (page[offset + 1] !== MAGIC_PREFIX || (flags & ~KNOWN_FLAGS) !== 0) return 'there is no page header'
  if (page.readBigUInt64LE(offset + 8) !== at) return 'the page belongs to another position'
  if (((flags & LONG_HEADER) !== 0) !== (bytes === LONG_HEADER_BYTES)) {
    return 'the page header has the wrong length'
  }
  if (bytes === LONG_HEADER_BYTES) {
    const segment = BigInt(page.readUInt32LE(offset + 32))
    if (segment !== segmentBytes || page.readUInt32LE(offset + 36) !== PAGE_BYTES) {
      return 'the segment has another size'
    }
  }
  const continued = page.readUInt32LE(offset + 16)
  const isContinued = (flags & FIRST_IS_CONTRECORD) !== 0
  if (isContinued !== continued > 0) return 'the page header contradicts itself'
  const abandons = (flags & FIRST_IS_OVERWRITE_CONTRECORD) !== 0
  if (abandons && isContinued) return 'the page header contradicts itself'
  return { bytes, continued, abandons }
}
