import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  consistencyProof,
  emptyRoot,
  fold,
  inclusionProof,
  leafHash,
  nodeHash,
  rootFromInclusion,
  verifyConsistency,
} from '../../src/audit/ledger/merkle.ts'
import { TiledTree, type TileKey } from '../../src/audit/ledger/tiles.ts'
import { TreeHasher } from '../../src/audit/ledger/tree-hasher.ts'
import { UpperTiles } from '../../src/audit/ledger/verify/upper-tiles.ts'

// The eight leaves and the roots of each size that the certificate-transparency project tests RFC 6962 with.
const leaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => leafHash(Buffer.from(hex, 'hex')))
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

function emptyTree(): TiledTree {
  return new TiledTree(0n, () => Promise.resolve(undefined))
}

async function treeOf(count: number): Promise<{ tree: TiledTree; leaves: Buffer[] }> {
  const hashes = Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`entry ${i}`)))
  const tree = emptyTree()
  await tree.append(hashes)
  return { tree, leaves: hashes }
}

/** MTH of RFC 6962, 2.1, word for word. */
function definedRoot(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes
  if (first === undefined) return emptyRoot
  if (hashes.length === 1) return first
  let k = 1
  while (k * 2 < hashes.length) k *= 2
  return nodeHash(definedRoot(hashes.slice(0, k)), definedRoot(hashes.slice(k)))
}

describe('the Merkle tree', () => {
  it('matches the known test vectors', async () => {
    expect(emptyRoot.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    for (const [i, root] of roots.entries()) {
      const tree = emptyTree()
      await tree.append(leaves.slice(0, i + 1))
      expect((await tree.root()).toString('hex')).toBe(root)
    }
  })

  it('has the same root for any batches of leaves, also with several levels of tiles', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 }),
        async (batches) => {
          const stored = new Map<string, Buffer>()
          const read = ({ level, tile }: TileKey) => Promise.resolve(stored.get(`${level}/${tile}`))
          const hasher = new TreeHasher()
          const all: Buffer[] = []
          for (const count of batches) {
            const added = Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`${all.length + i}`)))
            const tree = new TiledTree(BigInt(all.length), read)
            await tree.append(added)
            for (const { key, hashes } of tree.changed()) stored.set(`${key.level}/${key.tile}`, hashes)
            all.push(...added)
            for (const leaf of added) hasher.append(leaf)
            const expected = definedRoot(all).toString('hex')
            expect((await tree.root()).toString('hex')).toBe(expected)
            expect(hasher.root().toString('hex')).toBe(expected)
          }
        },
      ),
      { numRuns: 25 },
    )
  })

  it('spans three levels of tiles', async () => {
    const { tree, leaves: hashes } = await treeOf(66_000)
    expect((await tree.root()).equals(definedRoot(hashes))).toBe(true)
    expect(Math.max(...tree.changed().map(({ key }) => key.level))).toBe(2)
  })

  it('has higher tiles that follow from the roots of full leaf tiles', async () => {
    for (const size of [300, 65_900]) {
      const tree = new TiledTree(0n, () => Promise.resolve(undefined))
      await tree.append(Array.from({ length: size }, (_, i) => leafHash(Buffer.from(`${i}`))))
      const upper = new UpperTiles()
      const stored = new Map<string, string>()
      for (const { key, hashes } of tree.changed()) {
        if (key.level === 0) upper.append(hashes.length === 256 * 32 ? fold(hashes) : null)
        else stored.set(`${key.level}/${key.tile}`, createHash('sha256').update(hashes).digest('hex'))
      }
      expect(upper.digests()).toEqual(stored)
    }
  })

  it('proves every leaf, and only with the right position, size, leaf and path', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), fc.nat(), fc.nat(), async (size, pick, damage) => {
        const { tree, leaves: hashes } = await treeOf(size)
        const root = await tree.root()
        const position = pick % size
        const leaf = hashes[position] ?? emptyRoot
        const proof = await inclusionProof(BigInt(position), BigInt(size), tree.node)
        expect(rootFromInclusion(leaf, BigInt(position), BigInt(size), proof)?.equals(root)).toBe(true)
        expect(rootFromInclusion(leafHash(leaf), BigInt(position), BigInt(size), proof)?.equals(root)).toBe(
          false,
        )
        expect(rootFromInclusion(leaf, BigInt(position), BigInt(size), [...proof, root])).toBeNull()
        expect(rootFromInclusion(leaf, BigInt(size), BigInt(size), proof)).toBeNull()
        const chosen = proof[damage % Math.max(proof.length, 1)]
        if (chosen !== undefined) {
          const broken = proof.map((hash) => (hash === chosen ? nodeHash(hash, hash) : hash))
          expect(rootFromInclusion(leaf, BigInt(position), BigInt(size), broken)?.equals(root)).toBe(false)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('proves that each tree is a prefix of every later one, and of no other', async () => {
    const { tree, leaves: hashes } = await treeOf(300)
    for (let second = 1; second <= 300; second += 13) {
      const secondRoot = definedRoot(hashes.slice(0, second))
      for (let first = 1; first <= second; first += 7) {
        const firstRoot = definedRoot(hashes.slice(0, first))
        const proof = await consistencyProof(BigInt(first), BigInt(second), tree.node)
        expect(verifyConsistency(BigInt(first), BigInt(second), firstRoot, secondRoot, proof)).toBe(true)
        expect(
          verifyConsistency(BigInt(first), BigInt(second), nodeHash(firstRoot, firstRoot), secondRoot, proof),
        ).toBe(false)
        if (first < second) {
          expect(
            verifyConsistency(
              BigInt(first),
              BigInt(second),
              firstRoot,
              nodeHash(secondRoot, secondRoot),
              proof,
            ),
          ).toBe(false)
        }
      }
    }
  })
})
