import { AkashiError } from '../../foundation/index.ts'
import type { Lsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { readSealed } from '../store/sealed-object.ts'
import { damagedObject } from '../store/sealing.ts'
import type { WalPiece } from './names.ts'
import { listPieces, piecesOf } from './pieces.ts'

/** Lookups of WAL whose pieces may be replaced by a whole segment meanwhile. */
const LOOKUPS = 4

/** Reads a piece. @throws integrity naming the object; not_found if it was replaced or removed */
export async function readPiece(
  backupStore: BackupStore,
  piece: WalPiece,
  signal?: AbortSignal,
): Promise<Buffer> {
  const data = await readSealed(
    backupStore.store,
    backupStore.keys,
    { kind: 'wal', name: piece.name },
    signal,
  )
  if (BigInt(data.length) !== piece.end - piece.start) {
    throw damagedObject(piece.name, 'its size differs from its name')
  }
  return data
}

/**
 * Reads a segment as far as the pieces reach, padded with zeros; undefined if its start is missing.
 * @param pieces of its timeline; looked up again if the stream replaces them while they are read
 */
export async function readSegment(
  backupStore: BackupStore,
  timeline: number,
  range: { readonly start: Lsn; readonly end: Lsn; readonly segmentBytes: number },
  pieces?: readonly WalPiece[],
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  for (let lookup = 1, known = pieces; ; lookup += 1) {
    known ??= await listPieces(backupStore.store, backupStore.systemId, timeline)
    const chosen = piecesOf(known, range.start, range.end)
    if (chosen.length === 0) return undefined
    try {
      return await join(backupStore, chosen, range, signal)
    } catch (error) {
      if (!isMissing(error) || lookup === LOOKUPS) throw error
      known = undefined
    }
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof AkashiError && error.code === 'not_found'
}

async function join(
  backupStore: BackupStore,
  pieces: readonly WalPiece[],
  range: { readonly start: Lsn; readonly end: Lsn; readonly segmentBytes: number },
  signal?: AbortSignal,
): Promise<Buffer> {
  const segment = Buffer.alloc(range.segmentBytes)
  for (const piece of pieces) {
    const data = await readPiece(backupStore, piece, signal)
    const skip = piece.start < range.start ? Number(range.start - piece.start) : 0
    const length = piece.end > range.end ? Number(range.end - piece.start) : data.length
    data.copy(segment, Number(piece.start - range.start) + skip, skip, length)
  }
  return segment
}
