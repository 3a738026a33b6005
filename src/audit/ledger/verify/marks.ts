/** When each part of a log was last hashed, and up to where a log was verified. */

import { parseNote } from '../../../keys/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import type { Head } from '../store.ts'
import type { LogReport } from './problems.ts'
import type { Since } from './rows.ts'

/** Positions of one slice: 256 leaf tiles, whose hashes are one tile of the next level. */
export const SLICE_ENTRIES = 65_536n

export function sliceUnit(slice: bigint): string {
  return `slice/${slice.toString().padStart(12, '0')}`
}

export function objectUnit(name: string): string {
  return `object/${name}`
}

/** Up to where a log was verified. */
export interface VerifiedHead extends Since {
  readonly epoch: number
  /** The signed checkpoint of that size. */
  readonly note: string
  /** As the note has it. */
  readonly root: Buffer
}

/** null when the log was never verified without a problem. */
export async function readVerifiedHead(session: Session, log: string): Promise<VerifiedHead | null> {
  const { rows } = await session.query<{ epoch: number; note: string; lastXid: string; lastSeq: string }>(
    `select epoch, note, last_xid::text as "lastXid", last_seq::text as "lastSeq" from akashi_audit.verified_heads where log = $1`,
    [log],
  )
  const [row] = rows
  if (row === undefined) return null
  const { size, root } = parseCheckpoint(parseNote(row.note).text)
  return { ...row, size, root }
}

/** Stores where the next incremental verification resumes; for a log without problems. */
export async function markVerified(session: Session, report: LogReport, at: Date): Promise<void> {
  if (report.checkpoint === null) return
  await session.query(
    `insert into akashi_audit.verified_heads (log, epoch, size, note, last_xid, last_seq, verified_at)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (log) do update set epoch = excluded.epoch, size = excluded.size, note = excluded.note,
       last_xid = excluded.last_xid, last_seq = excluded.last_seq, verified_at = excluded.verified_at`,
    [
      report.log,
      report.epoch,
      report.size,
      report.checkpoint,
      report.frontier.xid,
      report.frontier.seq,
      at.toISOString(),
    ],
  )
}

/** Every slice from number `first` on was hashed. */
export async function markSlices(
  session: Session,
  log: string,
  first: bigint,
  size: bigint,
  at: Date,
): Promise<void> {
  if (size === 0n) return
  await session.query(
    `insert into akashi_audit.ledger_scrubs (log, unit, checked_at)
     select $1, 'slice/' || lpad(n::text, 12, '0'), $4 from generate_series($2::bigint, $3::bigint) n
     on conflict (log, unit) do update set checked_at = greatest(ledger_scrubs.checked_at, excluded.checked_at)`,
    [log, first.toString(), ((size - 1n) / SLICE_ENTRIES).toString(), at.toISOString()],
  )
}

export async function markUnits(
  session: Session,
  log: string,
  units: readonly string[],
  at: Date,
): Promise<void> {
  await session.query(
    `insert into akashi_audit.ledger_scrubs (log, unit, checked_at) select $1, unit, $3 from unnest($2::text[]) as u (unit)
     on conflict (log, unit) do update set checked_at = greatest(ledger_scrubs.checked_at, excluded.checked_at)`,
    [log, units, at.toISOString()],
  )
}

/** Forgets objects that the archive no longer has. */
export async function forgetObjects(
  session: Session,
  log: string,
  present: readonly string[],
): Promise<void> {
  await session.query(
    `delete from akashi_audit.ledger_scrubs where log = $1 and unit like 'object/%' and unit <> all ($2::text[])`,
    [log, present.map(objectUnit)],
  )
}

/** The slices of a log that were hashed longest ago, never hashed ones first. */
export async function oldestSlices(session: Session, head: Head, limit: number): Promise<bigint[]> {
  if (head.size === 0n) return []
  const { rows } = await session.query<{ slice: string }>(
    `select n::text as slice from generate_series(0, $2::bigint) n
     left join akashi_audit.ledger_scrubs s on s.log = $1 and s.unit = 'slice/' || lpad(n::text, 12, '0')
     order by s.checked_at nulls first, n limit $3`,
    [head.log, ((head.size - 1n) / SLICE_ENTRIES).toString(), limit],
  )
  return rows.map(({ slice }) => BigInt(slice))
}

/** When each unit was last hashed. */
export async function readMarks(
  session: Session,
  log: string,
  units: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await session.query<{ unit: string; at: string }>(
    'select unit, checked_at as at from akashi_audit.ledger_scrubs where log = $1 and unit = any ($2::text[])',
    [log, units],
  )
  return new Map(rows.map(({ unit, at }) => [unit, at]))
}

/**
 * Seconds since the part of any log that was hashed longest ago was hashed. A part that never was counts from
 * when the first checkpoint that covers it was published. 0 while there is nothing to check.
 */
export async function oldestUncheckedSeconds(database: Database, actor: Actor): Promise<number> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ seconds: number }>(
        `select coalesce(max(extract(epoch from clock_timestamp() - part.since)), 0)::float8 as seconds
         from akashi_audit.ledger_heads h
         cross join lateral (
           select coalesce(s.checked_at, (
             select c.published_at from akashi_audit.ledger_checkpoints c
             where c.log = h.log and c.size > n * ${SLICE_ENTRIES} order by c.epoch, c.size limit 1)) as since
           from generate_series(0, (h.size - 1) / ${SLICE_ENTRIES}) n
           left join akashi_audit.ledger_scrubs s on s.log = h.log and s.unit = 'slice/' || lpad(n::text, 12, '0')
           where h.size > 0
           union all
           select s.checked_at from akashi_audit.ledger_scrubs s where s.log = h.log and s.unit like 'object/%'
         ) part`,
      ),
    { readOnly: true },
  )
  return rows[0]?.seconds ?? 0
}
