import type { VerifierKey } from '../../../keys/index.ts'
import type { Session } from '../../../postgres/index.ts'
import { checkRecord, type RetentionRecord, readRecords } from '../retention.ts'
import { PositionSet } from './position-set.ts'
import type { ProblemList, RetiredBy } from './problems.ts'

/** An entry whose row is not in the database. */
export interface AbsentEntry {
  readonly position: bigint
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Positions from `from` on that valid retention records cover; a record that does not fit covers nothing. */
export async function verifyRetired(
  session: Session,
  log: string,
  from: bigint,
  verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>,
  problems: ProblemList,
): Promise<PositionSet> {
  const records = (await readRecords(session, log)).filter(({ lastPosition }) => lastPosition >= from)
  return await coveredBy(session, records, verifierKeys, problems)
}

/** Positions that records cover which may name one of these entries; only those records are checked. */
export async function verifyRetiredAmong(
  session: Session,
  log: string,
  entries: readonly AbsentEntry[],
  verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>,
  problems: ProblemList,
): Promise<PositionSet> {
  const [start] = entries
  if (start === undefined) return new PositionSet()
  let first = start.position
  let last = start.position
  for (const { position } of entries) {
    if (position < first) first = position
    if (position > last) last = position
  }
  const near = (await readRecords(session, log)).filter(
    ({ firstPosition, lastPosition }) => firstPosition <= last && lastPosition >= first,
  )
  const records = near.filter((record) =>
    entries.some(
      ({ position, at }) =>
        record.firstPosition <= position &&
        position <= record.lastPosition &&
        record.from.getTime() <= at &&
        at < record.to.getTime(),
    ),
  )
  return await coveredBy(session, records, verifierKeys, problems)
}

async function coveredBy(
  session: Session,
  records: readonly RetentionRecord[],
  verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>,
  problems: ProblemList,
): Promise<PositionSet> {
  const retired = new PositionSet()
  for (const record of records) {
    const covered = new PositionSet()
    const refused = await checkRecord(session, record, verifierKeys, (position) => covered.add(position))
    if (refused === null) retired.addAll(covered)
    else {
      problems.add(
        'checkpoint',
        record.firstPosition,
        record.id,
        `retention record ${record.id} of ${record.partition} does not count: ${refused}`,
      )
    }
  }
  return retired
}

/** The records of a log by their policy, the latest first. One that does not count is a problem beside it. */
export async function retiredBy(session: Session, log: string): Promise<RetiredBy[]> {
  const { rows } = await session.query<RetiredBy>(
    `select policy, count(*)::float8 as records, sum(row_count)::float8 as rows, min(lower_bound) as "from", max(upper_bound) as "to"
     from akashi_audit.retention_records where log = $1 group by policy order by max(retired_at) desc`,
    [log],
  )
  return rows
}
