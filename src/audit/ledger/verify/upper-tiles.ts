/** Stored tiles: each must match the entries below it, and there must be no other tile. */
import { createHash } from 'node:crypto'
import type { Session } from '../../../postgres/index.ts'
import { fold, HASH_BYTES } from '../merkle.ts'
import type { Head } from '../store.ts'
import { TILE_WIDTH } from '../tiles.ts'
import type { ProblemList } from './problems.ts'

/** Expected content of the tiles from level 1 on, computed from the roots of full leaf tiles and kept as digests. */
export class UpperTiles {
  /** The partial tile of each level, starting with level 1. */
  readonly #open: { tile: bigint; hashes: Buffer[] }[] = []
  readonly #digests = new Map<string, string>()

  /** Takes the root of the next full leaf tile; null for a partial one. */
  append(root: Buffer | null): void {
    if (root !== null) this.#append(0, root)
  }

  #append(depth: number, hash: Buffer): void {
    const open = this.#open[depth] ?? { tile: 0n, hashes: [] }
    this.#open[depth] = open
    open.hashes.push(hash)
    if (open.hashes.length < TILE_WIDTH) return
    const full = Buffer.concat(open.hashes)
    this.#digests.set(keyOf(depth + 1, open.tile), digestOf(full))
    this.#open[depth] = { tile: open.tile + 1n, hashes: [] }
    this.#append(depth + 1, fold(full))
  }

  /** SHA-256 of each tile, by `level/tile`. */
  digests(): Map<string, string> {
    const digests = new Map(this.#digests)
    for (const [depth, { tile, hashes }] of this.#open.entries()) {
      if (hashes.length > 0) digests.set(keyOf(depth + 1, tile), digestOf(Buffer.concat(hashes)))
    }
    return digests
  }
}

function keyOf(level: number, tile: bigint | string): string {
  return `${level}/${tile}`
}

function digestOf(hashes: Buffer): string {
  return createHash('sha256').update(hashes).digest('hex')
}

interface StoredTile {
  readonly level: number
  readonly tile: string
  readonly bytes: number
  readonly digest: string
}

/** Compares upper tiles, and reports leaf tiles after the last entry; other leaf tiles are compared with the entries. */
export async function verifyTiles(
  session: Session,
  { log, origin, size }: Head,
  upper: UpperTiles,
  problems: ProblemList,
): Promise<void> {
  const expected = upper.digests()
  const stored = session.stream<StoredTile>(
    `select level, tile::text, octet_length(hashes) as bytes, encode(sha256(hashes), 'hex') as digest
     from akashi_audit.ledger_tiles where log = $1 and (level <> 0 or tile > ($2::bigint - 1) / ${TILE_WIDTH} or $2::bigint = 0)
     order by level, tile`,
    [log, size.toString()],
  )
  for await (const batch of stored) {
    for (const { level, tile, bytes, digest } of batch) {
      const key = keyOf(level, tile)
      const known = expected.get(key)
      expected.delete(key)
      if (known === digest) continue
      const why =
        known === undefined
          ? `the log has no tile ${tile} of level ${level}, but ${bytes / HASH_BYTES} hashes are stored for it`
          : `tile ${tile} of level ${level} differs from the roots of the tiles below it`
      problems.add('checkpoint', null, origin, why)
    }
  }
  for (const key of expected.keys()) {
    const [level, tile] = key.split('/')
    problems.add('checkpoint', null, origin, `tile ${tile} of level ${level} is missing`)
  }
}
