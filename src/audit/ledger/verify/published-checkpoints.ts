/** Published checkpoints: those in the store and at witnesses, and the copies in the database. */
import type { Checkpoint } from '../checkpoint.ts'
import { boundOf, type Epoch, isKnown } from '../epoch/link.ts'
import { branchOf } from '../published.ts'
import type { Head } from '../store.ts'
import { signedCheckpoint } from './head.ts'
import { keptCheckpoints, keptCosignatures } from './kept.ts'
import type { LogVerification } from './log-verification.ts'
import type { VerifyOptions } from './options.ts'
import type { ProblemList } from './problems.ts'

/** What was read from store and witnesses, before the snapshot of the database was taken. */
export interface Collected {
  readonly notes: readonly string[]
  /** `branch size` of published checkpoints that are not compared. */
  readonly listed: ReadonlySet<string>
}

/** Characters of an invalid note that are shown. */
const SHOWN_CHARACTERS = 200

const named = ({ origin, size, root }: Checkpoint) => `${origin} ${size} ${root.toString('base64')}`
const placeOf = (branch: string | null, size: bigint) => `${branch ?? ''} ${size}`

/**
 * Reads the published checkpoints of a log. No connection is held meanwhile, since a store or a witness may be slow.
 * Null when the options have no published checkpoints.
 */
export async function collectPublished(
  log: string,
  from: bigint,
  options: VerifyOptions,
): Promise<Collected | null> {
  if (options.published === undefined) return null
  const notes: string[] = []
  const listed = new Set<string>()
  for await (const found of options.published(log, from)) {
    options.signal?.throwIfAborted()
    if (typeof found === 'string') notes.push(found)
    else listed.add(placeOf(found.branch, found.size))
  }
  return { notes, listed }
}

/**
 * Published checkpoints in ascending size, with the trees that epochs began with. A checkpoint beyond the head means
 * that the log was truncated. Checkpoints of abandoned entries are left out.
 */
export async function publishedCheckpoints(
  verification: LogVerification,
  from: bigint,
  epochs: readonly Epoch[],
  collected: Collected | null,
): Promise<Checkpoint[]> {
  const { head, options, problems } = verification
  const checkpoints: Checkpoint[] = []
  const seen = new Set<string>()
  const take = (checkpoint: Checkpoint) => {
    const { origin, size } = checkpoint
    const name = named(checkpoint)
    if (seen.has(name)) return
    seen.add(name)
    if (!isKnown(epochs, head, origin)) {
      problems.add(
        'checkpoint',
        size,
        origin,
        'an epoch was published that this database does not have: the database is an older copy',
      )
      return
    }
    const bound = origin === head.origin ? null : boundOf(epochs, origin)
    if (bound !== null && size > bound) return
    if (size <= head.size) {
      checkpoints.push(checkpoint)
      return
    }
    problems.add(
      'checkpoint',
      size,
      origin,
      `a checkpoint of size ${size} was published, but the ledger has ${head.size} entries: its end was cut off`,
    )
  }
  const places = new Set(collected?.listed)
  for (const note of collected?.notes ?? []) {
    const origin = note.slice(0, note.indexOf('\n'))
    const checkpoint = await signedCheckpoint(
      note,
      origin.endsWith(`/${head.log}`) ? origin : head.origin,
      options,
    )
    if (typeof checkpoint === 'string') {
      problems.add(
        'checkpoint',
        null,
        head.origin,
        `a published checkpoint does not verify: ${checkpoint} (${note.slice(0, note.indexOf('\n')).slice(0, SHOWN_CHARACTERS)})`,
      )
    } else {
      places.add(placeOf(branchOf(checkpoint.origin), checkpoint.size))
      take(checkpoint)
    }
  }
  const lost: Checkpoint[] = []
  for await (const { checkpoint, sampled, thinned } of keptCheckpoints(verification, from, epochs)) {
    const { origin, size } = checkpoint
    if (collected !== null && !thinned && !places.has(placeOf(branchOf(origin), size))) lost.push(checkpoint)
    if (sampled) take(checkpoint)
  }
  reportLost(head, lost, problems)
  for await (const kept of keptCosignatures(verification, from, epochs)) take(kept)
  for (const { origin, size, root } of epochs) take({ origin, size, root })
  return checkpoints.sort((a, b) => Number(a.size - b.size))
}

/** A checkpoint is stored in the database only after it was published, so each that is not thinned out must be in the store. */
function reportLost(head: Head, lost: readonly Checkpoint[], problems: ProblemList): void {
  const [first] = lost
  const last = lost.at(-1)
  if (first === undefined || last === undefined) return
  problems.add(
    'checkpoint',
    first.size,
    head.origin,
    lost.length === 1
      ? `the published checkpoint of size ${first.size} is missing from the store`
      : `${lost.length} published checkpoints, of size ${first.size} to ${last.size}, are missing from the store`,
  )
}
