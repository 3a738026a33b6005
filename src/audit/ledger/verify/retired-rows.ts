import type { VerifierKey } from '../../../keys/index.ts'
import type { Session } from '../../../postgres/index.ts'
import { checkRecord, readRecords } from '../retention.ts'
import { PositionSet } from './position-set.ts'
import type { ProblemList } from './problems.ts'

/** Positions from `from` on that valid retention records cover; a record that does not fit covers nothing. */
export async function verifyRetired(
  session: Session,
  log: string,
  from: bigint,
  verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>,
  problems: ProblemList,
): Promise<PositionSet> {
  const retired = new PositionSet()
  for (const record of await readRecords(session, log)) {
    if (record.lastPosition < from) continue
    const refused = await checkRecord(session, record, verifierKeys, (position) => retired.add(position))
    if (refused !== null) {
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
