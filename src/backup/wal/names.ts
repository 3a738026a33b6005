/**
 * A piece of WAL is named by what it covers: `<start>-<end>-<time>`, positions as 16 hexadecimal digits, time
 * as milliseconds since 1970 of the latest commit that ends in it (0 where none does). So that the catalog
 * knows the restorable window from the names alone. Pieces may overlap; a whole segment replaces its parts.
 */
import type { Lsn } from '../../postgres/index.ts'
import { timelineHex, walPrefix } from '../store/paths.ts'

const LSN_DIGITS = 16
const TIME_DIGITS = 14
const NAME = /wal\/([0-9A-F]{8})\/([0-9a-f]{16})-([0-9a-f]{16})-(\d{14})$/

export interface WalPiece {
  readonly name: string
  readonly timeline: number
  readonly start: Lsn
  readonly end: Lsn
  /** Milliseconds since 1970 of the latest commit in it, rounded down to before it; 0 for none. */
  readonly commitMs: number
}

export function walPieceName(systemId: string, piece: Omit<WalPiece, 'name'>): string {
  const range = [piece.start, piece.end].map((lsn) => lsn.toString(16).padStart(LSN_DIGITS, '0')).join('-')
  const time = String(piece.commitMs).padStart(TIME_DIGITS, '0')
  return `${walPrefix(systemId)}${timelineHex(piece.timeline)}/${range}-${time}`
}

/** undefined for what is no piece of WAL. */
export function parseWalPiece(name: string): WalPiece | undefined {
  const [, timeline, start, end, time] = NAME.exec(name) ?? []
  if (timeline === undefined || start === undefined || end === undefined) return undefined
  return {
    name,
    timeline: Number.parseInt(timeline, 16),
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
    commitMs: Number(time),
  }
}

/** A recovery to this moment stops before the commit, and so finds its end: strictly earlier, in milliseconds. */
export function beforeCommit(commitUs: bigint): number {
  return Number((commitUs - 1n) / 1000n)
}

export function segmentStart(lsn: Lsn, segmentBytes: number): Lsn {
  return lsn - (lsn % BigInt(segmentBytes))
}

/** `000000010000000000000007`, as PostgreSQL names the file of the segment that holds a position. */
export function segmentFile(timeline: number, lsn: Lsn, segmentBytes: number): string {
  const number = lsn / BigInt(segmentBytes)
  const perFile = 0x1_0000_0000n / BigInt(segmentBytes)
  return `${timelineHex(timeline)}${timelineHex(Number(number / perFile))}${timelineHex(Number(number % perFile))}`
}

/** The timeline and start of a segment's file; undefined for other names. */
export function parseSegmentFile(
  file: string,
  segmentBytes: number,
): { readonly timeline: number; readonly start: Lsn } | undefined {
  const [, timeline, high, low] = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(file) ?? []
  if (timeline === undefined || high === undefined || low === undefined) return undefined
  const perFile = 0x1_0000_0000n / BigInt(segmentBytes)
  const number = BigInt(`0x${high}`) * perFile + BigInt(`0x${low}`)
  return { timeline: Number.parseInt(timeline, 16), start: number * BigInt(segmentBytes) }
}
