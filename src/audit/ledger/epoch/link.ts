/** The signed link between two epochs of a log; docs/ledger.md specifies its text. */
import { AkashiError } from '../../../foundation/index.ts'
import { type VerifierKey, verifyNote } from '../../../keys/index.ts'
import type { Session } from '../../../postgres/index.ts'
import { branchOf } from '../published.ts'

/**
 * Why an epoch was opened. ordered: by an administrator or a restore. conflict: another checkpoint of a size was
 * published. older: more was published than the database has. moved: another cluster or timeline. rekeyed: the signing
 * key was replaced.
 */
export type EpochCause = 'ordered' | 'conflict' | 'older' | 'moved' | 'rekeyed'

export interface Epoch {
  readonly log: string
  /** The first one that has a link is 2. */
  readonly epoch: number
  readonly origin: string
  readonly cause: EpochCause
  readonly reason: string
  /** The old head as it was published, or as the database had it when that is larger. */
  readonly previousOrigin: string
  readonly previousSize: bigint
  readonly previousRoot: Buffer
  /** Entries that both histories share; what the old one had beyond is given up. */
  readonly commonSize: bigint
  /** Origins of epochs that a database published which is no longer: this one was copied before them. */
  readonly givenUp: readonly string[]
  /** The tree with which this epoch begins. */
  readonly size: bigint
  readonly root: Buffer
  readonly note: string
}

/** Entries that were published and are not in this history. */
export function lostEntries({ previousSize, commonSize }: Epoch): bigint {
  return previousSize > commonSize ? previousSize - commonSize : 0n
}

export function linkText(epoch: Omit<Epoch, 'note'>): string {
  return [
    'akashi/epoch/1',
    epoch.log,
    epoch.epoch,
    epoch.origin,
    epoch.size,
    epoch.root.toString('base64'),
    epoch.previousOrigin,
    epoch.previousSize,
    epoch.previousRoot.toString('base64'),
    epoch.commonSize,
    epoch.cause,
    epoch.reason,
    ...epoch.givenUp,
    '',
  ].join('\n')
}

/** What a published link says of the epoch before. It is not verified here: to be believed it must fit the tree. */
export function readLink(note: string): Pick<Epoch, 'previousOrigin' | 'commonSize'> {
  const [version, , , , , , previousOrigin = '', , , common = ''] = note.split('\n')
  if (version !== 'akashi/epoch/1' || !/^\d{1,19}$/.test(common)) {
    throw new AkashiError('integrity', 'the published link of an epoch is no link')
  }
  return { previousOrigin, commonSize: BigInt(common) }
}

/** Why a link does not count; null when it is what the log signed. */
export async function checkLink(
  epoch: Epoch,
  verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>,
): Promise<string | null> {
  try {
    const { text } = verifyNote(epoch.note, await verifierKeys(epoch.origin))
    return text === linkText(epoch) ? null : 'it is not what was signed'
  } catch (error) {
    if (!(error instanceof AkashiError)) throw error
    return `its signature does not verify: ${error.message}`
  }
}

/** The links of every log, or of one, in the order of the epochs. */
export async function readEpochs(session: Session, log?: string): Promise<Epoch[]> {
  const { rows } = await session.query<Epoch>(
    `select log, epoch, origin, cause, reason, previous_origin as "previousOrigin", previous_size as "previousSize",
            previous_root as "previousRoot", common_size as "commonSize", given_up as "givenUp", size, root, note
     from akashi_audit.ledger_epochs where $1::text is null or log = $1 order by log, epoch`,
    [log ?? null],
  )
  return rows
}

/**
 * How many entries of what an epoch published must be in the present tree: what it shares with every epoch that
 * came after it. `null` is no bound: it is the present one.
 */
export function boundOf(epochs: readonly Epoch[], origin: string): bigint | null {
  const own = epochs.findIndex((epoch) => epoch.origin === origin)
  const given = epochs.findIndex((epoch) => epoch.givenUp.includes(origin))
  return epochs
    .slice(given >= 0 ? given : own + 1)
    .reduce<bigint | null>(
      (bound, { commonSize }) => (bound === null || commonSize < bound ? commonSize : bound),
      null,
    )
}

/** Whether this database knows the epoch of an origin, as its own or as one that was given up. */
export function isKnown(
  epochs: readonly Epoch[],
  head: { readonly origin: string },
  origin: string,
): boolean {
  return (
    origin === head.origin ||
    branchOf(origin) === null ||
    epochs.some((epoch) => epoch.origin === origin || epoch.givenUp.includes(origin))
  )
}
