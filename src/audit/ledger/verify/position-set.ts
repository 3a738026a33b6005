/** Positions in one chunk: 8 KiB of bits. */
const CHUNK_BITS = 65_536n

/** A set of positions as bits: 12.5 MB for 100 million of them that lie together. */
export class PositionSet {
  readonly #chunks = new Map<bigint, Uint8Array>()

  add(position: bigint): void {
    const index = position / CHUNK_BITS
    let chunk = this.#chunks.get(index)
    if (chunk === undefined) {
      chunk = new Uint8Array(Number(CHUNK_BITS) / 8)
      this.#chunks.set(index, chunk)
    }
    const bit = Number(position % CHUNK_BITS)
    chunk[bit >> 3] = (chunk[bit >> 3] ?? 0) | (1 << (bit & 7))
  }

  addAll(other: PositionSet): void {
    for (const [index, bits] of other.#chunks) {
      const chunk = this.#chunks.get(index)
      if (chunk === undefined) this.#chunks.set(index, bits.slice())
      else for (let at = 0; at < chunk.length; at += 1) chunk[at] = (chunk[at] ?? 0) | (bits[at] ?? 0)
    }
  }

  has(position: bigint): boolean {
    const bit = Number(position % CHUNK_BITS)
    return (((this.#chunks.get(position / CHUNK_BITS)?.[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1
  }
}
