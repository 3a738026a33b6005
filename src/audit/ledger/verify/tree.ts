import type { Session } from '../../../postgres/index.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { HASH_BYTES, leafHash } from '../merkle.ts'
import type { Head } from '../store.ts'
import { TILE_WIDTH } from '../tiles.ts'
import { TreeHasher } from '../tree-hasher.ts'
import type { ProblemList } from './problems.ts'

/** Entries fetched at a time. */
const ENTRY_BATCH_ROWS = 10_000

/** Entries that disagree with the tiles are kept for naming up to this many. */
const MAX_MISMATCHES = 10_000

interface Mismatch {
  readonly position: bigint
  readonly id: string
  readonly leaf: string
  readonly expected: string
}

/**
 * Rebuilds the tree from the entries and compares it with the stored leaf tiles, with the signed head
 * and with every checkpoint given (in ascending size). What differs is named by position.
 */
export async function verifyTree(
  session: Session,
  head: Head,
  checkpoints: readonly Checkpoint[],
  problems: ProblemList,
): Promise<void> {
  const hasher = new TreeHasher()
  const pending = checkpoints.filter((checkpoint) => checkpoint.size <= head.size)
  const mismatches: Mismatch[] = []
  let gaps = 0
  let tile: Buffer = Buffer.alloc(0)
  checkRoots(hasher, pending, problems)
  const entries = session.stream<{ position: string; id: string; hash: Buffer; tile: Buffer | null }>(
    `select e.position::text, e.row_id::text as id, e.entry_hash as hash,
            case when e.position % ${TILE_WIDTH} = 0 or lag(e.position) over (order by e.position) is distinct from e.position - 1
              then t.hashes end as tile
     from audit.ledger_entries e
     left join audit.ledger_tiles t on t.log = e.log and t.level = 0 and t.tile = e.position / ${TILE_WIDTH}
     where e.log = $1 order by e.position`,
    [head.log],
    ENTRY_BATCH_ROWS,
  )
  let next = 0n
  for await (const batch of entries) {
    for (const entry of batch) {
      const position = BigInt(entry.position)
      if (position >= head.size) {
        problems.add(
          'checkpoint',
          position,
          entry.id,
          `entry ${position} lies beyond the head's size ${head.size}`,
        )
        continue
      }
      for (; next < position; next += 1n) {
        gaps += 1
        problems.add('removed', next, null, `entry ${next} of the ledger is gone`)
      }
      if (entry.tile !== null) tile = entry.tile
      const leaf = leafHash(entry.hash)
      const offset = Number(position % BigInt(TILE_WIDTH)) * HASH_BYTES
      const expected = tile.subarray(offset, offset + HASH_BYTES)
      if (!leaf.equals(expected) && mismatches.length < MAX_MISMATCHES) {
        mismatches.push({
          position,
          id: entry.id,
          leaf: leaf.toString('hex'),
          expected: expected.toString('hex'),
        })
      }
      hasher.append(leaf)
      next = position + 1n
      if (gaps === 0) checkRoots(hasher, pending, problems)
    }
  }
  for (; next < head.size; next += 1n) {
    gaps += 1
    problems.add('removed', next, null, `entry ${next} of the ledger is gone`)
  }
  nameMismatches(mismatches, problems)
  if (gaps === 0 && hasher.size === head.size && !hasher.root().equals(head.root)) {
    problems.add(
      'checkpoint',
      head.size,
      head.origin,
      'the entries do not hash to the signed root of the head',
    )
  }
}

/** Compares the root of the present size with every checkpoint of that size, and drops those. */
function checkRoots(hasher: TreeHasher, pending: Checkpoint[], problems: ProblemList): void {
  for (let first = pending[0]; first !== undefined && first.size === hasher.size; first = pending[0]) {
    if (!hasher.root().equals(first.root)) {
      problems.add(
        'checkpoint',
        first.size,
        first.origin,
        `the published checkpoint of size ${first.size} has another root: history was rewritten`,
      )
    }
    pending.shift()
  }
}

/** An entry whose expected leaf stands at another position changed places; any other one was changed. */
function nameMismatches(mismatches: readonly Mismatch[], problems: ProblemList): void {
  const leaves = new Set(mismatches.map((mismatch) => mismatch.leaf))
  for (const { position, id, expected } of mismatches) {
    if (expected === '')
      problems.add('checkpoint', position, id, `the leaf tile of entry ${position} is missing or too short`)
    else if (leaves.has(expected))
      problems.add('reordered', position, id, `entry ${position} stands at another's position`)
    else problems.add('changed', position, id, `entry ${position} of the ledger is not the one in the tree`)
  }
}
