import { AkashiError } from '../../foundation/index.ts'
import type { Lsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { readSealed } from '../store/sealed-object.ts'
import { damagedObject } from '../store/sealing.ts'
import type { WalPiece } from './names.ts'
import { listPieces, piecesOf } from './pieces.ts'

/** How often WAL is looked up again whose pieces were replaced by a whole segment meanwhile. */
const LOOKUPS = 4

/** A piece's bytes. @throws integrity naming the object; not_found when it was replaced or removed */
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
    throw damagedObject(piece.name, 'it is not as long as its name says')
  }
  return data
}

/**
 * A segment as far as the pieces reach, with zeros behind; undefined when they do not have its beginning.
 * @param pieces of its timeline; looked up again when the stream replaces them while they are read
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
