/** One slice of a log: its entries against the signed root, and its rows against its entries. */
import type { Session } from '../../../postgres/index.ts'
import type { ArchivedObject } from '../archived.ts'
import { postgresEntrySql } from '../encoding.ts'
import type { LogDefinition } from '../logs.ts'
import { inclusionProof, rootFromInclusion } from '../merkle.ts'
import type { Head } from '../store.ts'
import { TILE_WIDTH, type TiledTree } from '../tiles.ts'
import { TreeHasher } from '../tree-hasher.ts'
import { SLICE_ENTRIES } from './marks.ts'
import type { VerifyOptions } from './options.ts'
import type { PositionSet } from './position-set.ts'
import type { ProblemList } from './problems.ts'
import { verifyRetired } from './retired-rows.ts'
import { describe } from './rows.ts'
import { appendLeaves, compareTile, entryTiles, type Mismatch, nameGaps, nameMismatches } from './tree.ts'

/** Tree levels that a slice spans: 2^16 entries. */
const SLICE_LEVELS = 16

export async function verifySlice(
  session: Session,
  log: LogDefinition,
  head: Head,
  tree: TiledTree,
  slice: bigint,
  objects: readonly ArchivedObject[],
  options: VerifyOptions,
  problems: ProblemList,
): Promise<{ checked: number; retired: number }> {
  const first = slice * SLICE_ENTRIES
  const end = smaller(first + SLICE_ENTRIES, head.size)
  await sliceTree(session, head, tree, first, end, problems)
  return await sliceRows(session, log, first, end, objects, options, problems)
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

async function sliceTree(
  session: Session,
  head: Head,
  tree: TiledTree,
  first: bigint,
  end: bigint,
  problems: ProblemList,
): Promise<void> {
  const full = end - first === SLICE_ENTRIES
  const hasher = full ? new TreeHasher() : await TreeHasher.from(first, tree.node)
  const start = hasher.size
  const mismatches: Mismatch[] = []
  let whole = true
  for await (const tile of entryTiles(session, head.log, first, end)) {
    const at = BigInt(tile.tile) * BigInt(TILE_WIDTH)
    const until = smaller(at + BigInt(TILE_WIDTH), end)
    if (hasher.size - start !== at - first || tile.count !== Number(until - at)) {
      whole = false
      continue
    }
    compareTile(tile, at, 0, mismatches)
    appendLeaves(hasher, tile.leaves)
  }
  if (!whole || hasher.size - start !== end - first) {
    await nameGaps(session, { log: head.log, size: end }, first, problems)
    return
  }
  await nameMismatches(session, head, mismatches, problems)
  const root = full ? await rootThrough(tree, head.size, first, hasher.root()) : hasher.root()
  if (root?.equals(head.root) === true) return
  problems.add(
    'checkpoint',
    first,
    head.origin,
    `entries ${first} to ${end - 1n} do not lead to the signed root of the head`,
  )
}

/** The root that the hash of one full slice leads to. */
async function rootThrough(
  tree: TiledTree,
  size: bigint,
  first: bigint,
  slice: Buffer,
): Promise<Buffer | null> {
  const path = await inclusionProof(first, size, tree.node)
  const shift = BigInt(SLICE_LEVELS)
  return rootFromInclusion(slice, first >> shift, ((size - 1n) >> shift) + 1n, path.slice(SLICE_LEVELS))
}

interface Absent {
  readonly position: string
  readonly id: string
  readonly at: string
  /** Whether a row of this id and time is there, and so hashes to something else. */
  readonly present: boolean
}

async function sliceRows(
  session: Session,
  log: LogDefinition,
  first: bigint,
  end: bigint,
  objects: readonly ArchivedObject[],
  options: VerifyOptions,
  problems: ProblemList,
): Promise<{ checked: number; retired: number }> {
  const entry = postgresEntrySql(log)
  // Each row by its key in the one partition of its time: what is read is bounded by the slice.
  await session.query(
    `select ${['hashjoin', 'mergejoin', 'seqscan', 'material'].map((way) => `set_config('enable_${way}', 'off', true)`).join(', ')}`,
  )
  const wrong = session.stream<Absent>(
    `select position::text, row_id::text as id, created_at::text as at, found is not null as present
     from (
       select position, row_id, created_at, entry_hash, found, case when found is not null then ${entry.hash} end as now
       from (
         select e.position, e.row_id, e.created_at, e.entry_hash, r.id as found, ${entry.texts}
         from akashi_audit.ledger_entries e
         left join ${log.schema}.${log.table} r on r.id = e.row_id and r.created_at = e.created_at
         where e.log = $1 and e.position >= $2::bigint and e.position < $3::bigint
         order by e.position offset 0
       ) t
     ) h
     where now is distinct from entry_hash`,
    [log.log, first.toString(), end.toString()],
  )
  let checked = Number(end - first)
  let retired = 0
  let records: PositionSet | undefined
  const missing: Absent[] = []
  for await (const batch of wrong) {
    for (const row of batch) {
      const position = BigInt(row.position)
      if (row.present) {
        problems.add('changed', position, row.id, describe(log, { kind: 'changed', ...row }))
        continue
      }
      checked -= 1
      // Which of its object's rows it is, the object's own turn shows.
      if (objects.some((object) => object.firstPosition <= position && position <= object.lastPosition))
        continue
      missing.push(row)
    }
  }
  for (const row of missing) {
    const position = BigInt(row.position)
    records ??= await verifyRetired(session, log.log, first, options.verifierKeys, problems)
    if (records.has(position)) retired += 1
    else await nameMissing(session, log, row, problems)
  }
  return { checked, retired }
}

/** Its time may have been changed rather than the row removed. */
async function nameMissing(
  session: Session,
  log: LogDefinition,
  row: Absent,
  problems: ProblemList,
): Promise<void> {
  const { rowCount } = await session.query(`select from ${log.schema}.${log.table} where id = $1 limit 1`, [
    row.id,
  ])
  const kind = rowCount === 0 ? 'removed' : 'changed'
  problems.add(kind, row.position, row.id, describe(log, { kind, ...row }))
}
