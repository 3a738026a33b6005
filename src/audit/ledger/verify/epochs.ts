import type { Session } from '../../../postgres/index.ts'
import { checkLink, type Epoch, lostEntries, readEpochs } from '../epoch/link.ts'
import { branchOf } from '../published.ts'
import type { Head } from '../store.ts'
import type { VerifyOptions } from './options.ts'
import type { ProblemList } from './problems.ts'

/** Follows the chain of epochs from the first to the head; a link that does not fit is a problem and no link. */
export async function verifyEpochs(
  session: Session,
  head: Head,
  { verifierKeys }: VerifyOptions,
  problems: ProblemList,
): Promise<Epoch[]> {
  const epochs = await readEpochs(session, head.log)
  const counted: Epoch[] = []
  let number = 2
  let origin: string | null = null
  for (const epoch of epochs) {
    const refused =
      epoch.epoch !== number || !continues(epoch, origin)
        ? 'it does not follow the one before'
        : await checkLink(epoch, verifierKeys)
    if (refused === null) counted.push(epoch)
    else {
      problems.add(
        'checkpoint',
        epoch.size,
        epoch.origin,
        `the link of epoch ${epoch.epoch} does not count: ${refused}`,
      )
    }
    number = epoch.epoch + 1
    origin = epoch.origin
  }
  if (head.epoch !== number - 1 || (origin !== null && head.origin !== origin)) {
    problems.add('checkpoint', head.size, head.origin, `no link leads to epoch ${head.epoch} of the head`)
  }
  reportLost(counted, problems)
  return counted
}

/** The old head is that of the epoch before, or of one that was given up. */
function continues({ previousOrigin, givenUp }: Epoch, before: string | null): boolean {
  return (
    (before === null ? branchOf(previousOrigin) === null : previousOrigin === before) ||
    givenUp.includes(previousOrigin)
  )
}

/** What an epoch that nobody ordered gave up is missed until somebody orders one. */
function reportLost(epochs: readonly Epoch[], problems: ProblemList): void {
  const accepted = epochs.findLastIndex(({ cause }) => cause === 'ordered')
  for (const epoch of epochs.slice(accepted + 1)) {
    if (lostEntries(epoch) === 0n) continue
    problems.add(
      'checkpoint',
      epoch.commonSize,
      epoch.previousOrigin,
      `epoch ${epoch.epoch} gave up ${lostEntries(epoch)} published entries from ${epoch.commonSize} on: ${epoch.reason}`,
    )
  }
}
