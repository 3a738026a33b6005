import { emptyRoot, type NodeReader, nodeHash, subtrees } from './merkle.ts'

/** Computes roots of a growing tree while keeping only its right edge: one hash per level. */
export class TreeHasher {
  #size = 0n
  /** Roots of complete subtrees from the widest to the narrowest. */
  readonly #edge: { level: number; hash: Buffer }[] = []

  /** The tree of the first `size` leaves, whose complete subtrees are read. */
  static async from(size: bigint, read: NodeReader): Promise<TreeHasher> {
    const hasher = new TreeHasher()
    for (const { level, index } of subtrees(0n, size))
      hasher.#edge.push({ level, hash: await read(level, index) })
    hasher.#size = size
    return hasher
  }

  get size(): bigint {
    return this.#size
  }

  append(leaf: Buffer): void {
    this.appendSubtree(0, leaf)
  }

  /** Appends 2^level leaves by their root; the size so far must be a multiple of as many. */
  appendSubtree(level: number, hash: Buffer): void {
    let node = { level, hash }
    let last = this.#edge.at(-1)
    while (last !== undefined && last.level === node.level) {
      this.#edge.pop()
      node = { level: node.level + 1, hash: nodeHash(last.hash, node.hash) }
      last = this.#edge.at(-1)
    }
    this.#edge.push(node)
    this.#size += 1n << BigInt(level)
  }

  root(): Buffer {
    let root: Buffer | undefined
    for (let i = this.#edge.length - 1; i >= 0; i -= 1) {
      const hash = this.#edge[i]?.hash
      if (hash !== undefined) root = root === undefined ? hash : nodeHash(hash, root)
    }
    return root ?? emptyRoot
  }
}
