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
  /** Entries that both histories share; further entries of the old one are abandoned. */
  readonly commonSize: bigint
  /** Origins of abandoned epochs, published by a database that this one is an older copy of. */
  readonly givenUp: readonly string[]
  /** The tree when this epoch began. */
  readonly size: bigint
  readonly root: Buffer
  /** {@link digestRecords} of the retention records that existed when this epoch began. */
  readonly retentionDigest: Buffer
  readonly note: string
}

/** Number of published entries that are not in this history. */
export function lostEntries({ previousSize, commonSize }: Epoch): bigint {
  return previousSize > commonSize ? previousSize - commonSize : 0n
}

export function linkText(epoch: Omit<Epoch, 'note'>): string {
  return [
    'akashi/epoch/2',
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
    epoch.retentionDigest.toString('base64'),
    ...epoch.givenUp,
    '',
  ].join('\n')
}

/** The previous epoch according to a published link. Its signature is not checked: the caller compares it with the tree. */
export function readLink(note: string): Pick<Epoch, 'previousOrigin' | 'commonSize'> {
  const [version, , , , , , previousOrigin = '', , , common = ''] = note.split('\n')
  if (version !== 'akashi/epoch/2' || !/^\d{1,19}$/.test(common)) {
    throw new AkashiError('integrity', 'the published link of an epoch is malformed')
  }
  return { previousOrigin, commonSize: BigInt(common) }
}

/** Why a link is not valid; null when the log signed it. */
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
            previous_root as "previousRoot", common_size as "commonSize", given_up as "givenUp", size, root,
            retention_digest as "retentionDigest", note
     from akashi_audit.ledger_epochs where $1::text is null or log = $1 order by log, epoch`,
    [log ?? null],
  )
  return rows
}

/**
 * How many of an epoch's published entries must be in the present tree: those that it shares with every later epoch.
 * `null`, all of them, for the present epoch.
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

/** Whether this database has the epoch of an origin, or a link that abandons it. */
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
