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
import type { ProblemList } from './problems.ts'
import { type AbsentEntry, verifyRetiredAmong } from './retired-rows.ts'
import { describe } from './rows.ts'
import {
  appendLeaves,
  compareTile,
  entryTiles,
  type Mismatch,
  nameCopies,
  nameGaps,
  nameMismatches,
} from './tree.ts'
import { UnreadObjects } from './unread.ts'

/** Tree levels that a slice spans: 2^16 entries. */
const SLICE_LEVELS = 16

/** Returns the entries whose rows are not in the database, for the caller to account for. */
export async function verifySlice(
  session: Session,
  log: LogDefinition,
  head: Head,
  tree: TiledTree,
  slice: bigint,
  problems: ProblemList,
): Promise<{ checked: number; missing: readonly Missing[] }> {
  const first = slice * SLICE_ENTRIES
  const end = smaller(first + SLICE_ENTRIES, head.size)
  await sliceTree(session, head, tree, first, end, problems)
  return await sliceRows(session, log, first, end, problems)
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
    await nameCopies(session, { log: head.log, size: end }, first, problems)
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

interface Wrong {
  readonly position: string
  readonly id: string
  readonly at: string
  /** Milliseconds since 1970. */
  readonly ms: number
  /** Whether a row of this id and time is there, and so hashes to something else or is there twice. */
  readonly present: boolean
  readonly twice: boolean
}

/** An entry without a row of its id and time. */
export interface Missing extends AbsentEntry {
  readonly id: string
  readonly text: string
}

async function sliceRows(
  session: Session,
  log: LogDefinition,
  first: bigint,
  end: bigint,
  problems: ProblemList,
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
 * Accounts for entries without rows: an archived object may have them (which of its rows it is, the object's own turn
 * shows), a retention record names them, or they were removed. Returns how many were retired.
 */
export async function verifyMissing(
  session: Session,
  log: LogDefinition,
  missing: readonly Missing[],
  objects: readonly ArchivedObject[],
  options: VerifyOptions,
  problems: ProblemList,
): Promise<number> {
  const kept = new UnreadObjects(objects)
  const unaccounted = missing.filter(({ position, at }) => !kept.excuses(position, at))
  kept.report(problems)
  const records = await verifyRetiredAmong(session, log.log, unaccounted, options.verifierKeys, problems)
  let retired = 0
  for (const row of unaccounted) {
    if (records.has(row.position)) retired += 1
    else await nameMissing(session, log, row, problems)
  }
  return retired
}

/** Its time may have been changed rather than the row removed. */
async function nameMissing(
  session: Session,
  log: LogDefinition,
  { position, id, text }: Missing,
  problems: ProblemList,
): Promise<void> {
  const { rowCount } = await session.query(`select from ${log.schema}.${log.table} where id = $1 limit 1`, [
    id,
  ])
  const kind = rowCount === 0 ? 'removed' : 'changed'
  problems.add(kind, position, id, describe(log, { kind, position: position.toString(), id, at: text }))
}
