import { AkashiError } from '../../../foundation/index.ts'
import type { Session } from '../../../postgres/index.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { emptyRoot, fold, HASH_BYTES, type NodeReader, treeRoot } from '../merkle.ts'
import { type Head, tileReader } from '../store.ts'
import { TILE_HEIGHT, TILE_WIDTH, TiledTree } from '../tiles.ts'
import { TreeHasher } from '../tree-hasher.ts'
import type { LogVerification } from './log-verification.ts'
import type { ProblemList } from './problems.ts'
import { UpperTiles, verifyTiles } from './upper-tiles.ts'

/** Tiles of entries fetched at a time: 64 × 8 KiB of hashes. */
const TILE_BATCH_ROWS = 64

/** Positions whose leaf hash differs from the tile, up to this many, are reported one by one. */
const MAX_MISMATCHES = 10_000

export interface EntryTile {
  readonly tile: string
  /** Position of the first entry. */
  readonly first: string
  readonly count: number
  /** Leaf hashes of the entries, concatenated. */
  readonly leaves: Buffer
  /** Leaf hashes as the ledger stored them when it sealed. */
  readonly stored: Buffer | null
}

export interface Mismatch {
  readonly position: bigint
  /** Empty where the stored tile has more hashes than there are entries. */
  readonly leaf: string
  /** Empty where the stored tile ends before. */
  readonly expected: string
}

/**
 * Rebuilds the tree from the entries, from position `from` on, and compares it with the stored leaf tiles,
 * with the signed head and with every given checkpoint (in ascending size). Differences are reported by position.
 *
 * @param verified root of the tree of size `from`, as it was verified before
 */
export async function verifyTree(
  { session, head, problems }: LogVerification,
  checkpoints: readonly Checkpoint[],
  from = 0n,
  verified: Buffer = emptyRoot,
): Promise<void> {
  const { node } = new TiledTree(head.size, tileReader(session, head.log))
  if (!(await checkTiles(head, node, problems)) && from > 0n) return
  const hasher = await TreeHasher.from(from, node)
  if (!hasher.root().equals(verified)) {
    problems.add(
      'checkpoint',
      from,
      head.origin,
      `the first ${from} entries differ from those that were verified before: history was rewritten`,
    )
  }
  const pending = checkpoints.filter(({ size }) => size >= from)
  for (const checkpoint of checkpoints) {
    if (checkpoint.size < from) checkRoot(await treeRoot(checkpoint.size, node), checkpoint, problems)
  }
  const mismatches: Mismatch[] = []
  const upper = new UpperTiles()
  let whole = true
  checkRoots(hasher, pending, problems)
  for await (const tile of entryTiles(session, head.log, from, head.size)) {
    const start = BigInt(tile.tile) * BigInt(TILE_WIDTH)
    const first = start < from ? from : start
    const end = start + BigInt(TILE_WIDTH)
    if (hasher.size !== first || tile.count !== Number((end < head.size ? end : head.size) - first)) {
      whole = false
    } else {
      compareTile(tile, first, Number(first - start), mismatches)
      upper.append(appendTile(hasher, tile.leaves, pending, problems))
    }
  }
  if (!whole || hasher.size !== head.size) {
    await reportGaps(session, head, from, problems)
    await reportCopies(session, head, from, problems)
  }
  await reportExtra(session, head, problems)
  await reportMismatches(session, head, mismatches, problems)
  if (!whole || hasher.size !== head.size) return
  if (!hasher.root().equals(head.root)) {
    problems.add(
      'checkpoint',
      head.size,
      head.origin,
      'the entries do not hash to the signed root of the head',
    )
  } else if (from === 0n) await verifyTiles(session, head, upper, problems)
}

/** The right edge of the stored tiles must lead to the signed root; O(log n). */
export async function checkTiles(head: Head, node: NodeReader, problems: ProblemList): Promise<boolean> {
  try {
    if ((await treeRoot(head.size, node)).equals(head.root)) return true
    problems.add('checkpoint', head.size, head.origin, 'the tiles do not lead to the root of the head')
  } catch (error) {
    if (!(error instanceof AkashiError && error.code === 'integrity')) throw error
    problems.add('checkpoint', head.size, head.origin, error.message)
  }
  return false
}

/** The entries of positions from … to, a tile at a time, beside the tile that was stored. */
export async function* entryTiles(
  session: Session,
  log: string,
  from: bigint,
  to: bigint,
): AsyncIterable<EntryTile> {
  const values = [log, from.toString(), to.toString()]
  const tiles = session.stream<EntryTile>(tilesSql, values, TILE_BATCH_ROWS)[Symbol.asyncIterator]()
  // While the caller hashes one batch the server hashes the next.
  let next = tiles.next()
  try {
    for (;;) {
      const { value, done } = await next
      if (done === true) return
      next = tiles.next()
      next.catch(() => undefined)
      yield* value
    }
  } finally {
    await next.catch(() => undefined)
    await tiles.return?.()
  }
}

/** Leaf hashes are computed in the server, a tile a row, by the index, so that the first comes at once. */
const tilesSql = `
  select s.tile::text, e.first::text, e.count, e.leaves, t.hashes as stored
  from generate_series($2::bigint / ${TILE_WIDTH}, ($3::bigint - 1) / ${TILE_WIDTH}) s (tile)
  cross join lateral (
    select min(position) as first, count(*)::integer as count,
           string_agg(sha256('\\x00'::bytea || entry_hash), ''::bytea order by position) as leaves
    from akashi_audit.ledger_entries
    where log = $1 and position >= greatest($2::bigint, s.tile * ${TILE_WIDTH}) and position < least($3::bigint, (s.tile + 1) * ${TILE_WIDTH})
  ) e
  left join akashi_audit.ledger_tiles t on t.log = $1 and t.level = 0 and t.tile = s.tile
  where e.count > 0
  order by s.tile`

/** @param skip hashes of the stored tile before the first of these leaves, which is that of position `first` */
export function compareTile(
  { leaves, stored }: EntryTile,
  first: bigint,
  skip: number,
  mismatches: Mismatch[],
): void {
  const known = (stored ?? Buffer.alloc(0)).subarray(skip * HASH_BYTES)
  if (known.equals(leaves)) return
  for (let at = 0; at < leaves.length && mismatches.length < MAX_MISMATCHES; at += HASH_BYTES) {
    const leaf = leaves.subarray(at, at + HASH_BYTES).toString('hex')
    const expected = known.subarray(at, at + HASH_BYTES).toString('hex')
    if (leaf !== expected) mismatches.push({ position: first + BigInt(at / HASH_BYTES), leaf, expected })
  }
  if (known.length > leaves.length) {
    const expected = known.subarray(leaves.length, leaves.length + HASH_BYTES).toString('hex')
    mismatches.push({ position: first + BigInt(leaves.length / HASH_BYTES), leaf: '', expected })
  }
}

/** Appends leaves and returns the root of a full tile, null for a partial one. */
export function appendLeaves(hasher: TreeHasher, leaves: Buffer): Buffer | null {
  const root = rootOf(leaves)
  if (root !== null) hasher.appendSubtree(TILE_HEIGHT, root)
  else {
    for (let at = 0; at < leaves.length; at += HASH_BYTES) hasher.append(leaves.subarray(at, at + HASH_BYTES))
  }
  return root
}

function rootOf(leaves: Buffer): Buffer | null {
  return leaves.length === TILE_WIDTH * HASH_BYTES ? fold(leaves) : null
}

/** Appends the leaves of one tile, comparing each checkpoint at its size; returns the root of a full tile, null for a partial one. */
function appendTile(
  hasher: TreeHasher,
  leaves: Buffer,
  pending: Checkpoint[],
  problems: ProblemList,
): Buffer | null {
  const end = hasher.size + BigInt(leaves.length / HASH_BYTES)
  const [first] = pending
  let root: Buffer | null
  if (first === undefined || first.size >= end) root = appendLeaves(hasher, leaves)
  else {
    root = rootOf(leaves)
    for (let at = 0; at < leaves.length; at += HASH_BYTES) {
      hasher.append(leaves.subarray(at, at + HASH_BYTES))
      if (pending[0]?.size === hasher.size) checkRoots(hasher, pending, problems)
    }
  }
  checkRoots(hasher, pending, problems)
  return root
}

/** Compares the root of the present size with every checkpoint of that size, and drops those. */
function checkRoots(hasher: TreeHasher, pending: Checkpoint[], problems: ProblemList): void {
  for (let first = pending[0]; first !== undefined && first.size === hasher.size; first = pending[0]) {
    checkRoot(hasher.root(), first, problems)
    pending.shift()
  }
}

function checkRoot(root: Buffer, { size, origin, root: published }: Checkpoint, problems: ProblemList): void {
  if (root.equals(published)) return
  problems.add(
    'checkpoint',
    size,
    origin,
    `the published checkpoint of size ${size} has another root: history was rewritten`,
  )
}

export async function reportGaps(
  session: Session,
  head: Pick<Head, 'log' | 'size'>,
  from: bigint,
  problems: ProblemList,
): Promise<void> {
  const gaps = session.stream<{ from: string; to: string }>(
    `select (last + 1)::text as "from", (position - 1)::text as "to"
     from (select position, coalesce(lag(position) over (order by position), $3::bigint - 1) as last from (
             select position from akashi_audit.ledger_entries where log = $1 and position >= $3::bigint and position < $2::bigint
             union all select $2::bigint) p) g
     where position > last + 1`,
    [head.log, head.size.toString(), from.toString()],
  )
  for await (const batch of gaps) {
    for (const { from, to } of batch) {
      for (let position = BigInt(from); position <= BigInt(to); position += 1n) {
        problems.add('removed', position, null, `entry ${position} of the ledger is missing`)
      }
    }
  }
}

/** Reports positions that have more than one entry, although the primary key forbids it. */
export async function reportCopies(
  session: Session,
  head: Pick<Head, 'log' | 'size'>,
  from: bigint,
  problems: ProblemList,
): Promise<void> {
  const copies = session.stream<{ position: string; count: number }>(
    `select position::text, count(*)::integer as count from akashi_audit.ledger_entries
     where log = $1 and position >= $3::bigint and position < $2::bigint group by position having count(*) > 1 order by 1`,
    [head.log, head.size.toString(), from.toString()],
  )
  for await (const batch of copies) {
    for (const { position, count } of batch)
      problems.add('added', position, null, `the ledger has ${count} entries at position ${position}`)
  }
}

async function reportExtra(session: Session, head: Head, problems: ProblemList): Promise<void> {
  const strays = session.stream<{ position: string; id: string }>(
    'select e.position::text, e.row_id::text as id from akashi_audit.ledger_entries e where e.log = $1 and e.position >= $2::bigint order by e.position',
    [head.log, head.size.toString()],
  )
  for await (const batch of strays) {
    for (const { position, id } of batch) {
      problems.add('checkpoint', position, id, `entry ${position} is beyond the head's size ${head.size}`)
    }
  }
}

/** Reports an entry as reordered when its expected leaf is at another position, otherwise as changed. */
export async function reportMismatches(
  session: Session,
  head: Pick<Head, 'log'>,
  mismatches: readonly Mismatch[],
  problems: ProblemList,
): Promise<void> {
  if (mismatches.length === 0) return
  const { rows } = await session.query<{ position: string; id: string }>(
    'select position::text, row_id::text as id from akashi_audit.ledger_entries where log = $1 and position = any ($2::bigint[])',
    [head.log, mismatches.map(({ position }) => position.toString())],
  )
  const ids = new Map(rows.map(({ position, id }) => [position, id]))
  const leaves = new Set(mismatches.map(({ leaf }) => leaf))
  for (const { position, leaf, expected } of mismatches) {
    const id = ids.get(position.toString()) ?? null
    if (leaf === '')
      problems.add(
        'checkpoint',
        position,
        id,
        `the leaf tile has hashes after the last entry, from ${position} on`,
      )
    else if (expected === '')
      problems.add('checkpoint', position, id, `the leaf tile of entry ${position} is missing or too short`)
    else if (leaves.has(expected))
      problems.add('reordered', position, id, `entry ${position} is at the position of another entry`)
    else
      problems.add(
        'changed',
        position,
        id,
        `entry ${position} of the ledger differs from the one in the tree`,
      )
  }
}
