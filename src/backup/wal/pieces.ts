import { given } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Lsn } from '../../postgres/index.ts'
import { timelineHex, walPrefix } from '../store/paths.ts'
import { lsnDigits, parseWalPiece, type WalPiece } from './names.ts'

/** Contiguous WAL. */
export interface Coverage {
  readonly timeline: number
  readonly start: Lsn
  readonly end: Lsn
  /** As in {@link WalPiece}, latest of all pieces. */
  readonly commitMs: number
}

/**
 * Lists the pieces of WAL in the store, of one timeline or all, by timeline and start.
 *
 * @param options.from of one timeline, only those that start there or later
 */
export async function listPieces(
  store: ObjectStore,
  systemId: string,
  options: { readonly timeline?: number; readonly from?: Lsn; readonly signal?: AbortSignal } = {},
): Promise<WalPiece[]> {
  const { timeline, from, signal } = options
  const prefix = walPrefix(systemId) + (timeline === undefined ? '' : `${timelineHex(timeline)}/`)
  const after = from === undefined ? undefined : `${prefix}${lsnDigits(from)}`
  const pieces: WalPiece[] = []
  for await (const { key } of store.list(prefix, given({ after, signal }))) {
    const piece = parseWalPiece(key)
    if (piece !== undefined) pieces.push(piece)
  }
  return pieces
}

/** Merges pieces into contiguous ranges; between two ranges of a timeline WAL is missing. */
export function coverageOf(pieces: readonly WalPiece[]): Coverage[] {
  const coverage: Coverage[] = []
  const ordered = [...pieces].sort((a, b) => a.timeline - b.timeline || compare(a.start, b.start))
  for (const piece of ordered) {
    const last = coverage.at(-1)
    if (last !== undefined && last.timeline === piece.timeline && piece.start <= last.end) {
      coverage[coverage.length - 1] = {
        ...last,
        end: later(piece.end, last.end),
        commitMs: Math.max(last.commitMs, piece.commitMs),
      }
    } else {
      const { timeline, start, end, commitMs } = piece
      coverage.push({ timeline, start, end, commitMs })
    }
  }
  return coverage
}

/** The minimal ordered pieces that cover a range, as far as it is covered. */
export function piecesOf(pieces: readonly WalPiece[], start: Lsn, end: Lsn): WalPiece[] {
  const chosen: WalPiece[] = []
  for (let at = start; at < end; ) {
    let best: WalPiece | undefined
    for (const piece of pieces) {
      if (piece.start <= at && piece.end > at && (best === undefined || piece.end > best.end)) best = piece
    }
    if (best === undefined) break
    chosen.push(best)
    at = best.end
  }
  return chosen
}

function later(a: Lsn, b: Lsn): Lsn {
  return compare(a, b) > 0 ? a : b
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
