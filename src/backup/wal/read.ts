import { AkashiError } from '../../foundation/index.ts'
import type { Lsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { readSealed } from '../store/sealed-object.ts'
import { damagedObject } from '../store/sealing.ts'
import type { WalPiece } from './names.ts'
import { listPieces, piecesOf } from './pieces.ts'

export interface WalRange {
  readonly start: Lsn
  /** Exclusive. */
  readonly end: Lsn
}

/** Lookups of WAL whose pieces may be replaced by larger ones meanwhile. */
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
 * Reads WAL from a position on as far as the pieces reach, at most to `end`; undefined if its start is missing.
 * @param pieces of its timeline; looked up again if the stream replaces them while they are read
 */
export async function readWal(
  backupStore: BackupStore,
  timeline: number,
  range: WalRange,
  pieces?: readonly WalPiece[],
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  for (let lookup = 1, known = pieces; ; lookup += 1) {
    known ??= await listPieces(backupStore.store, backupStore.systemId, { timeline })
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
  { start, end }: WalRange,
  signal?: AbortSignal,
): Promise<Buffer> {
  const last = pieces.at(-1)?.end ?? start
  const joined = Buffer.alloc(Number((last < end ? last : end) - start))
  for (const piece of pieces) {
    const data = await readPiece(backupStore, piece, signal)
    const skip = piece.start < start ? Number(start - piece.start) : 0
    // Pieces may overlap and go beyond the end: copy() stops there.
    data.copy(joined, Number(piece.start - start) + skip, skip)
  }
  return joined
}
