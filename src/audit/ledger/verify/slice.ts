/** One slice of a log: its entries against the signed root, and its rows against its entries. */
import type { ArchivedObject } from '../archived.ts'
import { postgresEntrySql } from '../encoding.ts'
import { inclusionProof, rootFromInclusion } from '../merkle.ts'
import { TILE_WIDTH, type TiledTree } from '../tiles.ts'
import { TreeHasher } from '../tree-hasher.ts'
import type { LogVerification } from './log-verification.ts'
import { SLICE_ENTRIES } from './marks.ts'
import { type AbsentEntry, verifyRetiredAmong } from './retired-rows.ts'
import { describe } from './rows.ts'
import {
  appendLeaves,
  compareTile,
  entryTiles,
  type Mismatch,
  reportCopies,
  reportGaps,
  reportMismatches,
} from './tree.ts'
import { UnreadObjects } from './unread.ts'

/** Tree levels that a slice spans: 2^16 entries. */
const SLICE_LEVELS = 16

/** Returns the entries whose rows are not in the database; {@link verifyMissing} accounts for them. */
export async function verifySlice(
  verification: LogVerification,
  tree: TiledTree,
  slice: bigint,
): Promise<{ checked: number; missing: readonly Missing[] }> {
  const first = slice * SLICE_ENTRIES
  const end = smaller(first + SLICE_ENTRIES, verification.head.size)
  await sliceTree(verification, tree, first, end)
  return await sliceRows(verification, first, end)
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

async function sliceTree(
  { session, head, problems }: LogVerification,
  tree: TiledTree,
  first: bigint,
  end: bigint,
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
    await reportGaps(session, { log: head.log, size: end }, first, problems)
    await reportCopies(session, { log: head.log, size: end }, first, problems)
    return
  }
  await reportMismatches(session, head, mismatches, problems)
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

interface Wrong {
  readonly position: string
  readonly id: string
  readonly at: string
  /** Milliseconds since 1970. */
  readonly ms: number
  /** Whether a row of this id and time exists: then it was changed, or exists twice. */
  readonly present: boolean
  readonly twice: boolean
}

/** An entry without a row of its id and time. */
export interface Missing extends AbsentEntry {
  readonly id: string
  readonly text: string
}

async function sliceRows(
  { session, log, problems }: LogVerification,
  first: bigint,
  end: bigint,
): Promise<{ checked: number; missing: readonly Missing[] }> {
  const entry = postgresEntrySql(log)
  // Each row by its key in the one partition of its time: what is read is bounded by the slice.
  await session.query(
    `select ${['hashjoin', 'mergejoin', 'seqscan', 'material'].map((way) => `set_config('enable_${way}', 'off', true)`).join(', ')}`,
  )
  const wrong = session.stream<Wrong>(
    `select position::text, row_id::text as id, created_at::text as at, floor(extract(epoch from created_at) * 1000)::float8 as ms,
            found is not null as present, coalesce(position = before, false) as twice
     from (
       select position, row_id, created_at, entry_hash, found, case when found is not null then ${entry.hash} end as now,
              lag(position) over (order by position) as before
       from (
         select e.position, e.row_id, e.created_at, e.entry_hash, r.id as found, ${entry.texts}
         from akashi_audit.ledger_entries e
         left join ${log.schema}.${log.table} r on r.id = e.row_id and r.created_at = e.created_at
         where e.log = $1 and e.position >= $2::bigint and e.position < $3::bigint
         order by e.position offset 0
       ) t
     ) h
     where now is distinct from entry_hash or position = before`,
    [log.log, first.toString(), end.toString()],
  )
  let checked = Number(end - first)
  const missing: Missing[] = []
  for await (const batch of wrong) {
    for (const row of batch) {
      const position = BigInt(row.position)
      if (row.twice) problems.add('added', position, row.id, describe(log, { kind: 'doubled', ...row }))
      else if (row.present)
        problems.add('changed', position, row.id, describe(log, { kind: 'changed', ...row }))
      else {
        checked -= 1
        missing.push({ position, id: row.id, at: row.ms, text: row.at })
      }
    }
  }
  return { checked, missing }
}

/**
 * Accounts for entries without rows: an archived object may have them (which is checked when the scrub reaches the
 * object), a retention record covers them, or they were removed. Returns how many were retired.
 */
export async function verifyMissing(
  verification: LogVerification,
  missing: readonly Missing[],
  objects: readonly ArchivedObject[],
): Promise<number> {
  const kept = new UnreadObjects(objects)
  const unaccounted = missing.filter(({ position, at }) => !kept.excuses(position, at))
  kept.report(verification.problems)
  const records = await verifyRetiredAmong(verification, unaccounted)
  let retired = 0
  for (const row of unaccounted) {
    if (records.has(row.position)) retired += 1
    else await reportMissing(verification, row)
  }
  return retired
}

/** A row that has the id but another time was changed, not removed. */
async function reportMissing(
  { session, log, problems }: LogVerification,
  { position, id, text }: Missing,
): Promise<void> {
  const { rowCount } = await session.query(`select from ${log.schema}.${log.table} where id = $1 limit 1`, [
    id,
  ])
  const kind = rowCount === 0 ? 'removed' : 'changed'
  problems.add(kind, position, id, describe(log, { kind, position: position.toString(), id, at: text }))
}
