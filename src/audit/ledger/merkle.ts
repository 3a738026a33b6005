/**
 * The Merkle tree of RFC 6962, section 2.1, over the ledger's entries.
 *
 * leaf hash: SHA-256(0x00 || entry); node hash: SHA-256(0x01 || left || right); the empty tree's root is
 * SHA-256 of nothing. Hashes are 32-byte Buffers, sizes and positions are bigint.
 */
import { createHash, hash as oneShot } from 'node:crypto'

export const HASH_BYTES = 32

const LEAF = 0x00
const NODE = 0x01

/**
 * A shared buffer for the hashed bytes: nothing here is asynchronous, so no other code can write to it in
 * between.
 */
const leafInput = Buffer.alloc(1 + HASH_BYTES, LEAF)
const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, NODE)

export const emptyRoot: Buffer = createHash('sha256').digest()

/** Concatenated hashes, each as its own view. */
export function splitHashes(hashes: Buffer): Buffer[] {
  const split: Buffer[] = []
  for (let at = 0; at < hashes.length; at += HASH_BYTES) split.push(hashes.subarray(at, at + HASH_BYTES))
  return split
}

export function leafHash(entry: Uint8Array): Buffer {
  if (entry.length !== HASH_BYTES) return sha256(Buffer.concat([Buffer.of(LEAF), entry]))
  leafInput.set(entry, 1)
  return sha256(leafInput)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeInput.set(left, 1)
  nodeInput.set(right, 1 + HASH_BYTES)
  return sha256(nodeInput)
}

/** The digest comes as hex: a Buffer that Node makes itself costs more than hash and parsing together. */
function sha256(input: Buffer): Buffer {
  return Buffer.from(oneShot('sha256', input, 'hex'), 'hex')
}

/** The root of 2^k hashes given side by side. */
export function fold(hashes: Buffer): Buffer {
  const row = Buffer.from(hashes)
  for (let length = row.length; length > HASH_BYTES; length /= 2) {
    for (let at = 0; at < length; at += 2 * HASH_BYTES) {
      row.copy(nodeInput, 1, at, at + 2 * HASH_BYTES)
      row.write(oneShot('sha256', nodeInput, 'hex'), at / 2, 'hex')
    }
  }
  return row.length === 0 ? emptyRoot : row.subarray(0, HASH_BYTES)
}

/** Gives the hash of the complete subtree of 2^level leaves that starts at leaf index·2^level. */
export type NodeReader = (level: number, index: bigint) => Promise<Buffer>

/** The complete subtrees that make up leaves from … to, widest first: (level, index) pairs. */
export function subtrees(from: bigint, to: bigint): { level: number; index: bigint }[] {
  const nodes: { level: number; index: bigint }[] = []
  let at = from
  while (at < to) {
    let level = 0
    while ((at >> BigInt(level)) % 2n === 0n && at + (2n << BigInt(level)) <= to) level += 1
    nodes.push({ level, index: at >> BigInt(level) })
    at += 1n << BigInt(level)
  }
  return nodes
}

/** Root of leaves from … to, where `from` is aligned as RFC 6962 aligns subtrees. */
export async function rangeRoot(from: bigint, to: bigint, read: NodeReader): Promise<Buffer> {
  const nodes = subtrees(from, to)
  let root: Buffer | undefined
  for (const { level, index } of nodes.reverse()) {
    const hash = await read(level, index)
    root = root === undefined ? hash : nodeHash(hash, root)
  }
  return root ?? emptyRoot
}

/** MTH(D[n]): the root of the first `size` leaves. */
export function treeRoot(size: bigint, read: NodeReader): Promise<Buffer> {
  return rangeRoot(0n, size, read)
}

/** The largest power of two below n. */
export function split(n: bigint): bigint {
  let k = 1n
  while (k * 2n < n) k *= 2n
  return k
}

/** PATH(m, D[n]) of RFC 6962, 2.1.1: shows that leaf `position` is in the tree of `size`. */
export async function inclusionProof(position: bigint, size: bigint, read: NodeReader): Promise<Buffer[]> {
  const path: Buffer[] = []
  let from = 0n
  let to = size
  while (to - from > 1n) {
    const middle = from + split(to - from)
    if (position < middle) {
      path.unshift(await rangeRoot(middle, to, read))
      to = middle
    } else {
      path.unshift(await rangeRoot(from, middle, read))
      from = middle
    }
  }
  return path
}

/** PROOF(m, D[n]) of RFC 6962, 2.1.2: shows that the tree of `first` leaves is a prefix of that of `second`. */
export async function consistencyProof(first: bigint, second: bigint, read: NodeReader): Promise<Buffer[]> {
  if (first === 0n || first === second) return []
  const proof: Buffer[] = []
  let from = 0n
  let to = second
  let whole = true
  while (first !== to) {
    const middle = from + split(to - from)
    if (first <= middle) {
      proof.unshift(await rangeRoot(middle, to, read))
      to = middle
    } else {
      proof.unshift(await rangeRoot(from, middle, read))
      from = middle
      whole = false
    }
  }
  if (!whole) proof.unshift(await rangeRoot(from, to, read))
  return proof
}

/** Root that an inclusion proof leads to (RFC 9162, 2.1.3.2); null when the proof has the wrong length. */
export function rootFromInclusion(
  leaf: Buffer,
  position: bigint,
  size: bigint,
  proof: readonly Buffer[],
): Buffer | null {
  if (position < 0n || position >= size) return null
  let fn = position
  let sn = size - 1n
  let root = leaf
  for (const hash of proof) {
    if (sn === 0n) return null
    if (fn % 2n === 1n || fn === sn) {
      root = nodeHash(hash, root)
      while (fn % 2n === 0n && fn !== 0n) {
        fn >>= 1n
        sn >>= 1n
      }
    } else {
      root = nodeHash(root, hash)
    }
    fn >>= 1n
    sn >>= 1n
  }
  return sn === 0n ? root : null
}

/** Whether a consistency proof links both roots (RFC 9162, 2.1.4.2). */
export function verifyConsistency(
  first: bigint,
  second: bigint,
  firstRoot: Buffer,
  secondRoot: Buffer,
  proof: readonly Buffer[],
): boolean {
  if (first > second || first < 0n) return false
  if (first === second) return proof.length === 0 && firstRoot.equals(secondRoot)
  if (first === 0n) return proof.length === 0 && firstRoot.equals(emptyRoot)
  const path = [...proof]
  if ((first & (first - 1n)) === 0n) path.unshift(firstRoot)
  const start = path.shift()
  if (start === undefined) return false
  let fn = first - 1n
  let sn = second - 1n
  while (fn % 2n === 1n) {
    fn >>= 1n
    sn >>= 1n
  }
  let fr = start
  let sr = start
  for (const hash of path) {
    if (sn === 0n) return false
    if (fn % 2n === 1n || fn === sn) {
      fr = nodeHash(hash, fr)
      sr = nodeHash(hash, sr)
      while (fn % 2n === 0n && fn !== 0n) {
        fn >>= 1n
        sn >>= 1n
      }
    } else {
      sr = nodeHash(sr, hash)
    }
    fn >>= 1n
    sn >>= 1n
  }
  return sn === 0n && fr.equals(firstRoot) && sr.equals(secondRoot)
}
