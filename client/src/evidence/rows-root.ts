/** The root of a tree from many of its leaves and the hashes of the subtrees between them (RFC 6962, 2.1). */
import { type Bytes, sha256 } from '../proof/bytes.ts'

const LEAF = Uint8Array.of(0x00)
const NODE = Uint8Array.of(0x01)

/** The hashes are not those that a tree of this size needs around these positions. */
export class MultiProofMismatch extends Error {
  override readonly name = 'MultiProofMismatch'
}

/**
 * @param positions of the leaves, ascending, each once
 * @param entries of the leaves, by the same index
 * @param nodes roots of the largest subtrees without such a leaf, from left to right
 * @throws MultiProofMismatch
 */
export async function rootFromRows(
  size: bigint,
  positions: readonly bigint[],
  entries: readonly Bytes[],
  nodes: readonly Bytes[],
): Promise<Bytes> {
  let taken = 0
  const last = positions.at(-1)
  if (last === undefined || last >= size) throw new MultiProofMismatch('no rows within the tree')
  // Walks down without waiting, so that the platform hashes as many as it can at once.
  const root = (from: bigint, to: bigint, first: number, end: number): Promise<Bytes> => {
    if (first === end) {
      const node = nodes[taken]
      taken += 1
      if (node === undefined) throw new MultiProofMismatch('hashes are missing')
      return Promise.resolve(node)
    }
    if (to - from === 1n) return sha256(LEAF, entries[first] ?? new Uint8Array())
    const middle = from + half(to - from)
    const split = firstFrom(positions, middle, first, end)
    const left = root(from, middle, first, split)
    const right = root(middle, to, split, end)
    return Promise.all([left, right]).then(([one, other]) => sha256(NODE, one, other))
  }
  const found = root(0n, size, 0, positions.length)
  if (taken !== nodes.length) throw new MultiProofMismatch('there are hashes too many')
  return await found
}

/** The largest power of two below n. */
function half(n: bigint): bigint {
  return 1n << BigInt((n - 1n).toString(2).length - 1)
}

/** Index of the first position from `middle` on, between two indices. */
function firstFrom(positions: readonly bigint[], middle: bigint, first: number, end: number): number {
  let [low, high] = [first, end]
  while (low < high) {
    const at = (low + high) >> 1
    if ((positions[at] ?? 0n) < middle) low = at + 1
    else high = at
  }
  return low
}
