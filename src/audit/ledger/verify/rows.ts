import { randomInt } from 'node:crypto'
import type { Session } from '../../../postgres/index.ts'
import { OPTIMIZER_FENCE, postgresEntrySql, shortArraysSql } from '../encoding.ts'
import type { LogDefinition } from '../logs.ts'
import type { Head } from '../store.ts'
import { CLOCK_TOLERANCE_S, readAnchors } from './anchors.ts'
import type { LogVerification } from './log-verification.ts'
import type { PositionSet } from './position-set.ts'
import { MAX_PROBLEMS, type ProblemList } from './problems.ts'
import type { UnreadObjects } from './unread.ts'

/** Seconds after which a committed row that is not sealed is a problem. */
export const UNSEALED_AFTER_S = 300

interface Counts {
  /** Rows of the table. */
  readonly present: number
  /** Rows joined with their entries: a row with two entries counts twice. */
  readonly rows: number
  /** Rows that have an entry. */
  readonly matched: number
  /** Rows with a finding. */
  readonly wrong: number
  /** Rows of one epoch that were sealed in another. */
  readonly misplaced: number
  readonly entries: number
  /** Sums of a hash of the positions of rows and of entries: equal when they correspond one to one. */
  readonly matchedSum: string
  readonly entriesSum: string
}

const noCounts: Counts = {
  present: 0,
  rows: 0,
  matched: 0,
  wrong: 0,
  misplaced: 0,
  entries: 0,
  matchedSum: '0',
  entriesSum: '0',
}

export interface Finding {
  /** retimed: the times of entry and row differ. doubled: the row exists more than once. */
  readonly kind: 'changed' | 'retimed' | 'removed' | 'added' | 'doubled' | 'unsealed' | 'backdated'
  readonly position: string | null
  readonly id: string
  readonly at: string
}

/** Where an incremental verification resumes. */
export interface Since {
  /** Entries that were verified before. */
  readonly size: bigint
  /** The frontier then. */
  readonly lastXid: string
  readonly lastSeq: string
}

/** What accounts for entries whose rows are not in the database. */
export interface ExternalCoverage {
  readonly archived: PositionSet
  /** Removed by retention, by a signed record. */
  readonly retired: PositionSet
  readonly unread: UnreadObjects
}

/** The hash of positions gets a random seed in each run, so that rows with equal sums cannot be prepared. */
const MAX_SEED = 2 ** 47

/**
 * Compares every row of a log's table (or those after `since`) with its entry, inside the server, and accounts
 * for every entry. Rows and entries must correspond one to one: unpredictable hashes of the positions are summed on
 * both sides, so that a duplicate does not compensate for a missing row.
 * Returns the number of rows that were hashed and of entries that are retired.
 *
 * @param epochStartSize size of the tree when the present epoch began
 */
export async function verifyRows(
  { session, log, head, problems }: LogVerification,
  epochStartSize: bigint,
  since: Since | null,
  coverage: ExternalCoverage,
): Promise<{ checked: number; retired: number }> {
  const from = since?.size.toString() ?? '0'
  const values: unknown[] = [
    log.log,
    head.lastXid,
    head.lastSeq,
    UNSEALED_AFTER_S,
    head.seqFloor,
    epochStartSize.toString(),
  ]
  if (since !== null) {
    values.push(since.lastXid, since.lastSeq, from)
    // Statistics of a growing table are outdated: use the index to find new rows.
    await session.query("select set_config('enable_seqscan', 'off', true)")
  }
  const { xids, times } = await readAnchors(session, head)
  values.push(xids, times)
  const { rows } = await session.query<Counts>(countsSql(log, since !== null, randomInt(MAX_SEED)), values)
  const counts = rows[0] ?? noCounts
  if (counts.wrong > 0) {
    const found = await session.query<Finding>(
      `select c.kind, c.position::text, c.id::text, c.created_at::text as at
       from (${rowsSql(log, { tail: since !== null, arrays: 'any' })}) c
       where c.kind <> 'misplaced' order by c.position nulls last, c.created_at limit ${MAX_PROBLEMS}`,
      values,
    )
    report(log, found.rows, counts.wrong, problems)
  }
  if (counts.misplaced > 0) {
    problems.add(
      'checkpoint',
      head.size,
      head.origin,
      `the head's floor ${head.seqFloor} does not separate the rows of this epoch from earlier ones (${counts.misplaced} rows)`,
    )
  }
  const bijective = counts.matched === counts.entries && counts.matchedSum === counts.entriesSum
  const { absent, retired } =
    counts.wrong > 0 || !bijective
      ? await verifyAbsent(session, log, from, coverage, problems)
      : { absent: 0, retired: 0 }
  if (counts.matched + absent !== counts.entries) await reportCopies(session, log, since, problems)
  if (counts.rows !== counts.present) await reportDuplicates(session, log, problems)
  if (since !== null && counts.matched + absent !== counts.entries)
    await reportEarlier(session, log, since, head, problems)
  return { checked: counts.present, retired }
}

/** Reports rows that exist more than once, although the primary key forbids it. */
async function reportCopies(
  session: Session,
  log: LogDefinition,
  since: Since | null,
  problems: ProblemList,
): Promise<void> {
  const { rows } = await session.query<{ id: string; at: string; position: string | null }>(
    `select c.id::text, c.at::text, (select min(e.position)::text from akashi_audit.ledger_entries e where e.log = $1 and e.row_id = c.id) as position
     from (select r.id, min(r.created_at) as at from ${log.schema}.${log.table} r
           ${since === null ? '' : 'where (r.xid, r.seq) > ($2::xid8, $3::bigint)'} group by r.id having count(*) > 1
           order by 2 limit ${MAX_PROBLEMS}) c`,
    since === null ? [log.log] : [log.log, since.lastXid, since.lastSeq],
  )
  for (const { id, at, position } of rows)
    problems.add('added', position, id, describe(log, { kind: 'doubled', position, id, at }))
}

/** Reports rows that have more than one entry. */
async function reportDuplicates(session: Session, log: LogDefinition, problems: ProblemList): Promise<void> {
  const { rows } = await session.query<{ id: string; first: string; last: string }>(
    `select row_id::text as id, min(position)::text as first, max(position)::text as last
     from akashi_audit.ledger_entries where log = $1 group by row_id having count(*) > 1 order by max(position) limit ${MAX_PROBLEMS}`,
    [log.log],
  )
  for (const { id, first, last } of rows)
    problems.add('added', last, id, `row ${id} has two entries, ${first} and ${last}`)
}

/** Reports new entries of rows below the frontier of the last verification. */
async function reportEarlier(
  session: Session,
  log: LogDefinition,
  { size, lastXid, lastSeq }: Since,
  { seqFloor }: Head,
  problems: ProblemList,
): Promise<void> {
  const { rows } = await session.query<{ id: string; position: string }>(
    `select e.position::text, e.row_id::text as id
     from akashi_audit.ledger_entries e join ${log.schema}.${log.table} r on r.id = e.row_id
     where e.log = $1 and e.position >= $2::bigint and ((r.xid, r.seq) <= ($3::xid8, $4::bigint) or r.seq <= $5::bigint)
     order by e.position limit ${MAX_PROBLEMS}`,
    [log.log, size.toString(), lastXid, lastSeq, seqFloor],
  )
  for (const { id, position } of rows)
    problems.add(
      'added',
      position,
      id,
      `entry ${position} is new, but its row ${id} is below the frontier of the last verification`,
    )
}

/** Accounts for every entry whose row is not in the database; returns their number and how many of them are retired. */
async function verifyAbsent(
  session: Session,
  log: LogDefinition,
  from: string,
  coverage: ExternalCoverage,
  problems: ProblemList,
): Promise<{ absent: number; retired: number }> {
  let retired = 0
  let absent = 0
  const entries = session.stream<{ position: string; id: string; at: string; ms: number }>(
    `select e.position::text, e.row_id::text as id, e.created_at::text as at, floor(extract(epoch from e.created_at) * 1000)::float8 as ms
     from akashi_audit.ledger_entries e
     where e.log = $1 and e.position >= $2::bigint
       and not exists (select from ${log.schema}.${log.table} r where r.id = e.row_id)
     order by e.position`,
    [log.log, from],
  )
  for await (const batch of entries) {
    absent += batch.length
    for (const entry of batch) {
      const position = BigInt(entry.position)
      if (coverage.archived.has(position)) continue
      if (coverage.retired.has(position)) retired += 1
      else if (!coverage.unread.excuses(position, entry.ms))
        problems.add('removed', position, entry.id, describe(log, { kind: 'removed', ...entry }))
    }
  }
  coverage.unread.report(problems)
  return { absent, retired }
}

function report(log: LogDefinition, found: readonly Finding[], total: number, problems: ProblemList): void {
  for (const finding of found) {
    const kind = finding.kind === 'retimed' ? 'changed' : finding.kind === 'doubled' ? 'added' : finding.kind
    problems.add(kind, finding.position, finding.id, describe(log, finding))
  }
  problems.unlisted += total - found.length
}

export function describe(log: LogDefinition, { kind, id, at }: Finding): string {
  const row = `row ${id} of ${log.schema}.${log.table}`
  switch (kind) {
    case 'changed':
      return `${row} is not what was sealed`
    case 'retimed':
      return `the entry of ${row} has another time than the row (${at})`
    case 'removed':
      return `${row} (${at}) is missing`
    case 'added':
      return `${row} (${at}) was added below the sealed frontier`
    case 'doubled':
      return `${row} (${at}) exists more than once`
    case 'backdated':
      return `${row} claims the time ${at}, before its transaction began`
    case 'unsealed':
      return `${row} (${at}) was never sealed`
  }
}

/**
 * Counts rows and findings. The table of a log with arrays is read twice: rows with short arrays, nearly all, in
 * parallel, and the others by one process.
 */
function countsSql(log: LogDefinition, tail: boolean, seed: number): string {
  const short = tail ? null : shortArraysSql(log)
  const counted = (which: Which) => `
    select count(*) as rows, count(position) as matched, sum(${placeHash(seed)}) as matched_sum, count(*) filter (where kind <> 'misplaced') as wrong,
           count(*) filter (where kind = 'misplaced') as misplaced
    from (${rowsSql(log, which)}) c`
  const all =
    short === null
      ? counted({ tail, arrays: 'any' })
      : `${counted({ tail, arrays: 'short', where: short })} union all ${counted({ tail, arrays: 'any', where: `not (${short})` })}`
  return `
    select sum(rows)::float8 as rows, sum(matched)::float8 as matched, sum(wrong)::float8 as wrong, sum(misplaced)::float8 as misplaced,
           (select count(*) from ${log.schema}.${log.table} r where true ${newer(tail)})::float8 as present,
           coalesce(sum(matched_sum), 0)::text as "matchedSum", coalesce(e.sum, 0)::text as "entriesSum", e.count::float8 as entries
    from (${all}) counted,
         (select count(*) as count, sum(${placeHash(seed)}) as sum from akashi_audit.ledger_entries where log = $1 ${tail ? 'and position >= $9::bigint' : ''}) e
    group by e.count, e.sum`
}

function placeHash(seed: number): string {
  return `hashint8extended(position, ${seed})`
}

function newer(tail: boolean): string {
  return tail ? 'and (r.xid, r.seq) > ($7::xid8, $8::bigint) and r.seq > $5::bigint' : ''
}

interface Which {
  /** Only rows after the last verification. */
  readonly tail: boolean
  readonly arrays: 'any' | 'short'
  readonly where?: string
}

/**
 * Every row with its entry. They are joined by id alone, so that a changed time is reported as a change and not as
 * a removal and an addition. A left join without intermediate tables allows a parallel plan. Rows are hashed before the
 * join, which otherwise would carry whole rows.
 */
function rowsSql(log: LogDefinition, { tail, arrays, where = 'true' }: Which): string {
  const entry = postgresEntrySql(log, { arrays })
  const [xids, times] = tail ? ['$10::bigint[]', '$11::timestamptz[]'] : ['$7::bigint[]', '$8::timestamptz[]']
  const arrived = 'received_at' in log.columns ? 'received_at' : 'created_at'
  return `
    select h.id, h.created_at, e.position,
      case
        when e.entry_hash <> h.entry_hash then 'changed'
        when e.created_at <> h.created_at then 'retimed'
        when (h.seq <= $5::bigint) <> (e.position < $6::bigint) then 'misplaced'
        when h.seq > $5::bigint and h.arrived < (${times})[width_bucket(h.xid::text::bigint - 1, ${xids})]
          - make_interval(secs => ${CLOCK_TOLERANCE_S}) then 'backdated'
        when e.row_id is not null then null
        when h.seq <= $5::bigint or (h.xid, h.seq) <= ($2::xid8, $3::bigint) then 'added'
        when h.xid >= pg_snapshot_xmax(pg_current_snapshot())
          or (h.xid < pg_snapshot_xmin(pg_current_snapshot()) and h.arrived < now() - make_interval(secs => $4::integer)) then 'unsealed'
      end as kind
    from (
      select id, created_at, arrived, xid, seq, ${entry.hash} as entry_hash
      from (select r.id, r.created_at, r.${arrived} as arrived, r.xid, r.seq, ${entry.texts}
            from ${log.schema}.${log.table} r
            where ${where} ${newer(tail)} ${OPTIMIZER_FENCE}) t
      ${OPTIMIZER_FENCE}
    ) h
    left join akashi_audit.ledger_entries e on e.log = $1 and e.row_id = h.id ${tail ? 'and e.position >= $9::bigint' : ''}`
}
