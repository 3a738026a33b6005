import { checkLink, type Epoch, lostEntries, readEpochs } from '../epoch/link.ts'
import { branchOf } from '../published.ts'
import type { LogVerification } from './log-verification.ts'
import type { ProblemList } from './problems.ts'

/** Returns the links from the first epoch to the head that are valid; any other link is a problem. */
export async function verifyEpochs({
  session,
  head,
  options: { verifierKeys },
  problems,
}: LogVerification): Promise<Epoch[]> {
  const epochs = await readEpochs(session, head.log)
  const counted: Epoch[] = []
  let number = 2
  let origin: string | null = null
  for (const epoch of epochs) {
    const refused =
      epoch.epoch !== number || !continues(epoch, origin)
        ? 'it does not continue the previous epoch'
        : await checkLink(epoch, verifierKeys)
    if (refused === null) counted.push(epoch)
    else {
      problems.add(
        'checkpoint',
        epoch.size,
        epoch.origin,
        `the link of epoch ${epoch.epoch} is not valid: ${refused}`,
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

/** The previous head is that of the preceding epoch, or of an abandoned one. */
function continues({ previousOrigin, givenUp }: Epoch, before: string | null): boolean {
  return (
    (before === null ? branchOf(previousOrigin) === null : previousOrigin === before) ||
    givenUp.includes(previousOrigin)
  )
}

/** Entries lost by an automatic epoch are a problem until an administrator opens one. */
function reportLost(epochs: readonly Epoch[], problems: ProblemList): void {
  const accepted = epochs.findLastIndex(({ cause }) => cause === 'ordered')
  for (const epoch of epochs.slice(accepted + 1)) {
    if (lostEntries(epoch) === 0n) continue
    problems.add(
      'checkpoint',
      epoch.commonSize,
      epoch.previousOrigin,
      `epoch ${epoch.epoch} lost ${lostEntries(epoch)} published entries from ${epoch.commonSize} on: ${epoch.reason}`,
    )
  }
}
