import { AkashiError } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import {
  type ArchiveOptions,
  type ArchiveRow,
  requireIntact,
  retireExpired,
  reviewArchive,
  runArchive,
} from '../lifecycle/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Task } from './schedule/index.ts'

/**
 * Milliseconds between the export of a partition and its removal, so that a load of old data into it can
 * finish.
 */
const SETTLE_MS = 86_400_000

/** The tasks of the archive's scheduled jobs. */
export function archiveTasks(store: ObjectStore, keyring: Keyring): Readonly<Record<string, Task>> {
  const run =
    (options: ArchiveOptions): Task =>
    async ({ worker, actor, signal }) =>
      summarize(await runArchive(worker, actor, store, { ...options, signal }))
  return {
    'archive.export': run({ only: 'export' }),
    'archive.expire': run({ only: 'expire', settleMs: SETTLE_MS }),
    'archive.review': async ({ worker, actor, signal }) => {
      const review = await reviewArchive(worker, actor, store, { signal })
      requireIntact(review)
      const { problems, ...found } = review
      return found
    },
    'archive.retire': async ({ worker, actor, signal }) => {
      const rows = await retireExpired(worker, actor, store, keyring, { signal })
      assertNoneFailed(rows)
      return { retired: rows.filter(({ action }) => action === 'retired').length }
    },
  }
}

/** Partitions that succeeded stay done; the run fails if any other failed, so that an operator notices. */
function summarize(rows: readonly ArchiveRow[]): Readonly<Record<string, unknown>> {
  assertNoneFailed(rows)
  return {
    exported: rows.filter(({ exported }) => exported).length,
    dropped: rows.filter(({ dropped }) => dropped).length,
    copied: rows.filter(({ action }) => action === 'copied').length,
  }
}

function assertNoneFailed(
  rows: readonly { readonly action: string; readonly partition: string; readonly message: string }[],
): void {
  const failed = rows.filter(({ action }) => action === 'failed')
  if (failed.length > 0) {
    const reasons = failed.map(({ partition, message }) => `${partition}: ${message}`)
    throw new AkashiError('conflict', `partitions could not be archived: ${reasons.join('; ')}`, {
      hint: 'see akashi archive status; no data was deleted',
    })
  }
}
