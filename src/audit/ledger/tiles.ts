/**
 * Tree hashes in tiles, as C2SP tlog-tiles lays them out: a tile of level L holds up to 256 hashes of
 * tree level 8·L; hash i of tile N is that of the subtree N·256 + i. From the tiles every node of the
 * tree, and so every root and proof, is computed with a few reads.
 */
import { AkashiError } from '../../foundation/index.ts'
import { fold, HASH_BYTES, treeRoot } from './merkle.ts'

/** Hashes in a full tile. */
export const TILE_WIDTH = 256
/** Tree levels that one tile spans. */
export const TILE_HEIGHT = 8

export interface TileKey {
  readonly level: number
  readonly tile: bigint
}

/** Hashes of one tile, concatenated; undefined where there is none yet. */
export type TileReader = (key: TileKey) => Promise<Buffer | undefined>

/** A tree over tiles that are read on demand; appended leaves change only the right-most tile of each level. */
export class TiledTree {
  #size: bigint
  readonly #read: TileReader
  readonly #tiles = new Map<string, Buffer>()
  readonly #changed = new Map<string, TileKey>()

  constructor(size: bigint, read: TileReader) {
    this.#size = size
    this.#read = read
  }

  get size(): bigint {
    return this.#size
  }

  /** Tiles that appending changed or made, whole. */
  changed(): { key: TileKey; hashes: Buffer }[] {
    return [...this.#changed].map(([id, key]) => ({ key, hashes: this.#tiles.get(id) ?? Buffer.alloc(0) }))
  }

  /** Adds leaf hashes at the end. */
  async append(leaves: readonly Buffer[]): Promise<void> {
    let level = 0
    let start = this.#size
    let hashes = leaves
    this.#size += BigInt(leaves.length)
    while (hashes.length > 0) {
      const full = await this.#extend(level, start, hashes)
      start /= BigInt(TILE_WIDTH)
      hashes = full
      level += 1
    }
  }

  /** Appends hashes to one level and returns the roots of the tiles that became full. */
  async #extend(level: number, start: bigint, hashes: readonly Buffer[]): Promise<Buffer[]> {
    const width = BigInt(TILE_WIDTH)
    const full: Buffer[] = []
    let at = 0
    while (at < hashes.length) {
      const index = start + BigInt(at)
      const key: TileKey = { level, tile: index / width }
      const offset = Number(index % width)
      const known = offset === 0 ? Buffer.alloc(0) : await this.#load(key)
      if (known.length < offset * HASH_BYTES) throw missing(key)
      const take = Math.min(TILE_WIDTH - offset, hashes.length - at)
      const tile = Buffer.concat([known.subarray(0, offset * HASH_BYTES), ...hashes.slice(at, at + take)])
      const id = `${level}/${key.tile}`
      this.#tiles.set(id, tile)
      this.#changed.set(id, key)
      if (tile.length === TILE_WIDTH * HASH_BYTES) full.push(fold(tile))
      at += take
    }
    return full
  }

  async #load(key: TileKey): Promise<Buffer> {
    const id = `${key.level}/${key.tile}`
    const known = this.#tiles.get(id) ?? (await this.#read(key))
    if (known === undefined) throw missing(key)
    this.#tiles.set(id, known)
    return known
  }

  /** The hash of a complete subtree; fits {@link NodeReader}. */
  readonly node = async (level: number, index: bigint): Promise<Buffer> => {
    const tileLevel = Math.floor(level / TILE_HEIGHT)
    const height = level % TILE_HEIGHT
    const first = index << BigInt(height)
    const key: TileKey = { level: tileLevel, tile: first / BigInt(TILE_WIDTH) }
    const offset = Number(first % BigInt(TILE_WIDTH)) * HASH_BYTES
    const bytes = (1 << height) * HASH_BYTES
    const tile = await this.#load(key)
    if (tile.length < offset + bytes) throw missing(key)
    return fold(tile.subarray(offset, offset + bytes))
  }

  root(): Promise<Buffer> {
    return treeRoot(this.#size, this.node)
  }
}

function missing(key: TileKey): AkashiError {
  return new AkashiError('integrity', `tile ${key.tile} of level ${key.level} is missing or too short`, {
    hint: 'run akashi verify',
  })
}
