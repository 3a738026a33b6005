import type { Session } from '../../../postgres/index.ts'
import { originOn } from '../published.ts'
import {
  checkRecord,
  digestRecords,
  originOfRecord,
  type RetentionRecord,
  readRecords,
} from '../retention.ts'
import type { LogVerification } from './log-verification.ts'
import { PositionSet } from './position-set.ts'
import type { RetiredBy } from './problems.ts'

/** An entry whose row is not in the database. */
export interface AbsentEntry {
  readonly position: bigint
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Positions from `from` on that valid retention records cover. */
export async function verifyRetired(verification: LogVerification, from: bigint): Promise<PositionSet> {
  const records = await signedRecords(verification)
  return await coveredBy(
    verification,
    records.filter(({ lastPosition }) => lastPosition >= from),
  )
}

/** Positions that retention records cover; checks only records that may cover one of these entries. */
export async function verifyRetiredAmong(
  verification: LogVerification,
  entries: readonly AbsentEntry[],
): Promise<PositionSet> {
  const [start] = entries
  if (start === undefined) return new PositionSet()
  let first = start.position
  let last = start.position
  for (const { position } of entries) {
    if (position < first) first = position
    if (position > last) last = position
  }
  const near = (await signedRecords(verification)).filter(
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
  return await coveredBy(verification, records)
}

/**
 * Records whose epoch is known. Each link signs which records existed when its epoch began: a key that was replaced
 * since cannot add any under an earlier origin.
 */
async function signedRecords({
  session,
  head,
  epochs,
  problems,
}: LogVerification): Promise<RetentionRecord[]> {
  const records = await readRecords(session, head.log)
  const numbers = new Map(epochs.map(({ origin, epoch }) => [origin, epoch]))
  numbers.set(originOn(head.origin, null), 1)
  const known = records.filter((record) => {
    if (numbers.has(originOfRecord(record))) return true
    problems.add(
      'checkpoint',
      record.firstPosition,
      record.id,
      `retention record ${record.id} of ${record.partition} is not valid: its epoch is unknown`,
    )
    return false
  })
  for (const { epoch, origin, retentionDigest } of epochs) {
    const before = known.filter((record) => (numbers.get(originOfRecord(record)) ?? epoch) < epoch)
    if (!digestRecords(before).equals(retentionDigest))
      problems.add(
        'checkpoint',
        null,
        origin,
        `the ${before.length} retention records of epochs before ${epoch} are not those that existed when it began`,
      )
  }
  return known
}

async function coveredBy(
  { session, options: { verifierKeys }, problems }: LogVerification,
  records: readonly RetentionRecord[],
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
        `retention record ${record.id} of ${record.partition} is not valid: ${refused}`,
      )
    }
  }
  return retired
}

/** The records of a log by policy, the latest first, including invalid ones, which are reported as problems. */
export async function retiredBy(session: Session, log: string): Promise<RetiredBy[]> {
  const { rows } = await session.query<RetiredBy>(
    `select policy, count(*)::float8 as records, sum(row_count)::float8 as rows, min(lower_bound) as "from", max(upper_bound) as "to"
     from akashi_audit.retention_records where log = $1 group by policy order by max(retired_at) desc`,
    [log],
  )
  return rows
}
