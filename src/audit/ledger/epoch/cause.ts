/** Why a log needs a new epoch. */
import type { ObjectStore } from '../../../object-store/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'
import {
  body,
  branchOf,
  checkpointKey,
  originOn,
  publishedBranches,
  publishedSizes,
  readNote,
} from '../published.ts'
import type { Head } from '../store.ts'
import { type Epoch, type EpochCause, isKnown } from './link.ts'

/** Why an epoch is opened. */
export interface EpochTrigger {
  readonly cause: EpochCause
  readonly reason: string
}

/** Compares the log with published checkpoints and the cluster; null when it continues both. */
export async function findCause(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  head: Head,
  epochs: readonly Epoch[],
): Promise<EpochTrigger | null> {
  const { log, origin, size, note } = head
  for (const { branch } of await publishedBranches(store, log)) {
    if (!isKnown(epochs, head, originOn(origin, branch))) {
      return { cause: 'older', reason: `epoch ${branch} was published, but the database does not have it` }
    }
  }
  for await (const later of publishedSizes(store, log, branchOf(origin), size + 1n)) {
    return {
      cause: 'older',
      reason: `size ${later.size} was published, but the database has ${size} entries`,
    }
  }
  const published = await readNote(store, checkpointKey(log, origin, size))
  if (published !== undefined && note !== null && body(published) !== body(note)) {
    return { cause: 'conflict', reason: `a different checkpoint of size ${size} was published` }
  }
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ cluster: string; timeline: number | null }>(
      'select system_identifier::text as cluster, timeline from akashi_audit.system_identity()',
    ),
  )
  const [here] = rows
  if (head.systemIdentifier !== null && here !== undefined && here.cluster !== head.systemIdentifier) {
    return { cause: 'moved', reason: `cluster ${here.cluster}, sealed in ${head.systemIdentifier}` }
  }
  if (head.timeline !== null && here?.timeline != null && here.timeline !== head.timeline) {
    return { cause: 'moved', reason: `timeline ${here.timeline}, sealed in ${head.timeline}` }
  }
  return null
}
