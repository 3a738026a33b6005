import type { Session } from '../../../postgres/index.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { HASH_BYTES } from '../merkle.ts'
import type { Head } from '../store.ts'
import { TILE_WIDTH } from '../tiles.ts'
import { TreeHasher } from '../tree-hasher.ts'
import type { ProblemList } from './problems.ts'

/** Tiles of entries fetched at a time: 64 × 8 KiB of hashes. */
const TILE_BATCH_ROWS = 64

/** Positions that disagree with the tiles are kept for naming up to this many. */
const MAX_MISMATCHES = 10_000

interface EntryTile {
  readonly tile: string
  /** Positions of the entries that are there, ascending. */
  readonly first: string
  readonly count: number
  /** Their leaf hashes side by side. */
  readonly leaves: Buffer
  /** Leaf hashes as the ledger stored them when it sealed. */
  readonly stored: Buffer | null
}

interface Mismatch {
  readonly position: bigint
  readonly leaf: string
  /** Empty where the stored tile has none. */
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
  let whole = true
  checkRoots(hasher, pending, problems)
  for await (const batch of session.stream<EntryTile>(
    tilesSql,
    [head.log, head.size.toString()],
    TILE_BATCH_ROWS,
  )) {
    for (const tile of batch) {
      const start = BigInt(tile.tile) * BigInt(TILE_WIDTH)
      const expectedCount = Number(
        head.size - start < BigInt(TILE_WIDTH) ? head.size - start : BigInt(TILE_WIDTH),
      )
      if (hasher.size !== start || tile.count !== expectedCount) {
        whole = false
      } else {
        compareTile(start, tile, mismatches)
        appendTile(hasher, tile.leaves, pending, problems)
      }
    }
  }
  if (!whole || hasher.size !== head.size) await nameGaps(session, head, problems)
  await nameStrays(session, head, problems)
  await nameMismatches(session, head, mismatches, problems)
  if (whole && hasher.size === head.size && !hasher.root().equals(head.root)) {
    problems.add(
      'checkpoint',
      head.size,
      head.origin,
      'the entries do not hash to the signed root of the head',
    )
  }
}

/** Leaf hashes are computed in the server, a tile a row. */
const tilesSql = `
  select e.tile::text, e.first::text, e.count, e.leaves, t.hashes as stored
  from (
    select position / ${TILE_WIDTH} as tile, min(position) as first, count(*)::integer as count,
           string_agg(sha256('\\x00'::bytea || entry_hash), ''::bytea order by position) as leaves
    from audit.ledger_entries where log = $1 and position < $2::bigint
    group by position / ${TILE_WIDTH}
  ) e
  left join audit.ledger_tiles t on t.log = $1 and t.level = 0 and t.tile = e.tile
  order by e.tile`

function compareTile(start: bigint, { leaves, stored }: EntryTile, mismatches: Mismatch[]): void {
  if (stored?.subarray(0, leaves.length).equals(leaves)) return
  for (let at = 0; at < leaves.length && mismatches.length < MAX_MISMATCHES; at += HASH_BYTES) {
    const leaf = leaves.subarray(at, at + HASH_BYTES).toString('hex')
    const expected = (stored ?? Buffer.alloc(0)).subarray(at, at + HASH_BYTES).toString('hex')
    if (leaf !== expected) mismatches.push({ position: start + BigInt(at / HASH_BYTES), leaf, expected })
  }
}

/** Appends the leaves of one tile, stopping wherever a checkpoint has its size. */
function appendTile(hasher: TreeHasher, leaves: Buffer, pending: Checkpoint[], problems: ProblemList): void {
  for (let at = 0; at < leaves.length; at += HASH_BYTES) {
    hasher.append(leaves.subarray(at, at + HASH_BYTES))
    if (pending[0]?.size === hasher.size) checkRoots(hasher, pending, problems)
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

async function nameGaps(session: Session, head: Head, problems: ProblemList): Promise<void> {
  const gaps = session.stream<{ from: string; to: string }>(
    `select (last + 1)::text as "from", (position - 1)::text as "to"
     from (select position, coalesce(lag(position) over (order by position), -1) as last from (
             select position from audit.ledger_entries where log = $1 and position < $2::bigint
             union all select $2::bigint) p) g
     where position > last + 1`,
    [head.log, head.size.toString()],
  )
  for await (const batch of gaps) {
    for (const { from, to } of batch) {
      for (let position = BigInt(from); position <= BigInt(to); position += 1n) {
        problems.add('removed', position, null, `entry ${position} of the ledger is gone`)
      }
    }
  }
}

async function nameStrays(session: Session, head: Head, problems: ProblemList): Promise<void> {
  const strays = session.stream<{ position: string; id: string }>(
    'select position::text, row_id::text as id from audit.ledger_entries where log = $1 and position >= $2::bigint order by position',
    [head.log, head.size.toString()],
  )
  for await (const batch of strays) {
    for (const { position, id } of batch) {
      problems.add('checkpoint', position, id, `entry ${position} lies beyond the head's size ${head.size}`)
    }
  }
}

/** An entry whose expected leaf stands at another position changed places; any other one was changed. */
async function nameMismatches(
  session: Session,
  head: Head,
  mismatches: readonly Mismatch[],
  problems: ProblemList,
): Promise<void> {
  if (mismatches.length === 0) return
  const { rows } = await session.query<{ position: string; id: string }>(
    'select position::text, row_id::text as id from audit.ledger_entries where log = $1 and position = any ($2::bigint[])',
    [head.log, mismatches.map(({ position }) => position.toString())],
  )
  const ids = new Map(rows.map(({ position, id }) => [position, id]))
  const leaves = new Set(mismatches.map(({ leaf }) => leaf))
  for (const { position, expected } of mismatches) {
    const id = ids.get(position.toString()) ?? null
    if (expected === '')
      problems.add('checkpoint', position, id, `the leaf tile of entry ${position} is missing or too short`)
    else if (leaves.has(expected))
      problems.add('reordered', position, id, `entry ${position} stands at another's position`)
    else problems.add('changed', position, id, `entry ${position} of the ledger is not the one in the tree`)
  }
}
