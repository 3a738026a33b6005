/**
 * The name of a piece of WAL contains its range, `<start>-<end>-<time>`: positions as 16 hexadecimal digits, time
 * as milliseconds since 1970 of the latest commit ending in it (0 if none), so that names alone determine the
 * restorable range. Pieces may overlap; a whole segment replaces its parts.
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
  /** Milliseconds since 1970 just before the latest commit in it; 0 if none. */
  readonly commitMs: number
}

export function walPieceName(systemId: string, piece: Omit<WalPiece, 'name'>): string {
  const range = [piece.start, piece.end].map(lsnDigits).join('-')
  const time = String(piece.commitMs).padStart(TIME_DIGITS, '0')
  return `${walPrefix(systemId)}${timelineHex(piece.timeline)}/${range}-${time}`
}

/** A position as names have it: names sort by it. */
export function lsnDigits(lsn: Lsn): string {
  return lsn.toString(16).padStart(LSN_DIGITS, '0')
}

/** undefined if it is not a piece of WAL. */
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

/** The last millisecond strictly before the commit: recovery to this moment finds its end at the commit. */
export function beforeCommit(commitUs: bigint): number {
  return Number((commitUs - 1n) / 1000n)
}

export function segmentStart(lsn: Lsn, segmentBytes: number): Lsn {
  return lsn - (lsn % BigInt(segmentBytes))
}

/** `000000010000000000000007`, the segment file name of PostgreSQL for a position. */
export function segmentFile(timeline: number, lsn: Lsn, segmentBytes: number): string {
  const number = lsn / BigInt(segmentBytes)
  const perFile = 0x1_0000_0000n / BigInt(segmentBytes)
  return `${timelineHex(timeline)}${timelineHex(Number(number / perFile))}${timelineHex(Number(number % perFile))}`
}

/** Timeline and start of a segment file; undefined for other names. */
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
