/** Checkpoints that were published: what lies outside the database, and what it keeps of them itself. */
import type { Session } from '../../../postgres/index.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { boundOf, type Epoch, isKnown } from '../epoch/link.ts'
import { branchOf } from '../published.ts'
import type { Head } from '../store.ts'
import { signedCheckpoint } from './head.ts'
import { keptCheckpoints, keptCosignatures } from './kept.ts'
import type { VerifyOptions } from './options.ts'
import type { ProblemList } from './problems.ts'

/** What was found outside the database, before its snapshot was taken. */
export interface Collected {
  readonly notes: readonly string[]
  /** `branch size` of checkpoints that are published and are not compared. */
  readonly listed: ReadonlySet<string>
}

const named = ({ origin, size, root }: Checkpoint) => `${origin} ${size} ${root.toString('base64')}`
const placeOf = (branch: string | null, size: bigint) => `${branch ?? ''} ${size}`

/**
 * Reads what was published of a log. Nothing of the database is held meanwhile: a store or a witness may be slow.
 * Null where verification is not given anything that was published.
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
 * Published checkpoints in ascending size, with the trees that epochs began with. One beyond the head shows that
 * the log was cut off; what an epoch gave up no longer counts.
 */
export async function publishedCheckpoints(
  session: Session,
  head: Head,
  from: bigint,
  epochs: readonly Epoch[],
  collected: Collected | null,
  options: VerifyOptions,
  problems: ProblemList,
): Promise<Checkpoint[]> {
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
        'an epoch was published that this database does not know: it is older',
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
      `a checkpoint of size ${size} was published, the ledger has ${head.size} entries: its end was cut off`,
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
      problems.add('checkpoint', null, head.origin, `a published checkpoint does not verify: ${checkpoint}`)
    } else {
      places.add(placeOf(branchOf(checkpoint.origin), checkpoint.size))
      take(checkpoint)
    }
  }
  const lost: Checkpoint[] = []
  for await (const { checkpoint, sampled } of keptCheckpoints(
    session,
    head,
    from,
    epochs,
    options,
    problems,
  )) {
    const { origin, size } = checkpoint
    if (collected !== null && !places.has(placeOf(branchOf(origin), size))) lost.push(checkpoint)
    if (sampled) take(checkpoint)
  }
  reportLost(head, lost, problems)
  for await (const kept of keptCosignatures(session, head, from, epochs, options, problems)) take(kept)
  for (const { origin, size, root } of epochs) take({ origin, size, root })
  return checkpoints.sort((a, b) => Number(a.size - b.size))
}

/** A checkpoint is published first and noted in the database then: whatever is noted must be there. */
function reportLost(head: Head, lost: readonly Checkpoint[], problems: ProblemList): void {
  const [first] = lost
  const last = lost.at(-1)
  if (first === undefined || last === undefined) return
  problems.add(
    'checkpoint',
    first.size,
    head.origin,
    lost.length === 1
      ? `the checkpoint of size ${first.size} is not where it was published`
      : `${lost.length} checkpoints, of size ${first.size} to ${last.size}, are not where they were published`,
  )
}
