/** Checkpoints that were published: what lies outside the database, and what it keeps of them itself. */
import type { Session } from '../../../postgres/index.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { boundOf, type Epoch, isKnown } from '../epoch/link.ts'
import type { Head } from '../store.ts'
import { signedCheckpoint } from './head.ts'
import { keptCheckpoints, keptCosignatures } from './kept.ts'
import type { VerifyOptions } from './options.ts'
import type { ProblemList } from './problems.ts'

const named = ({ origin, size, root }: Checkpoint) => `${origin} ${size} ${root.toString('base64')}`

/**
 * Published checkpoints in ascending size, with the trees that epochs began with. One beyond the head shows that
 * the log was cut off; what an epoch gave up no longer counts.
 */
export async function publishedCheckpoints(
  session: Session,
  head: Head,
  from: bigint,
  epochs: readonly Epoch[],
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
  for await (const note of options.published?.(head.log, from) ?? []) {
    const origin = note.slice(0, note.indexOf('\n'))
    const checkpoint = await signedCheckpoint(
      note,
      origin.endsWith(`/${head.log}`) ? origin : head.origin,
      options,
    )
    if (typeof checkpoint === 'string') {
      problems.add('checkpoint', null, head.origin, `a published checkpoint does not verify: ${checkpoint}`)
    } else take(checkpoint)
  }
  const lost: Checkpoint[] = []
  for await (const kept of keptCheckpoints(session, head, from, epochs, options, problems)) {
    if (options.published !== undefined && !seen.has(named(kept))) lost.push(kept)
    take(kept)
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
