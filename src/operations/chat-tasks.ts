import { inspectUploads, purgeExpired, removeDeletedFiles, type Scanner } from '../chat/index.ts'
import type { Log } from '../foundation/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Database } from '../postgres/index.ts'
import { type Loop, runLoop } from './loops.ts'
import type { Task } from './schedule/index.ts'

/** Milliseconds between two checks for uploaded files. */
const INSPECTION_INTERVAL_MS = 500

/** The code behind `akashi_lifecycle.jobs.task` for chat. */
export function chatTasks(store: ObjectStore): Readonly<Record<string, Task>> {
  return {
    'chat.purge': async ({ worker, actor, signal }) => {
      const removed = await purgeExpired(worker, actor, signal)
      let files = 0
      for (;;) {
        const some = await removeDeletedFiles({ worker, store, signal }, actor)
        files += some
        if (some === 0) return { ...removed, files }
      }
    },
  }
}

/** Scans and cleans uploaded files before others can see them. One process at a time. */
export function inspectionLoop(parts: {
  readonly worker: Database
  readonly store: ObjectStore
  readonly scanner: Scanner | undefined
  readonly log: Log
  readonly signal: AbortSignal
}): Loop {
  const { worker, store, scanner, log, signal } = parts
  return runLoop({
    name: 'chat.inspection',
    worker,
    intervalMs: INSPECTION_INTERVAL_MS,
    work: (round) =>
      inspectUploads({ worker: round.worker, store, scanner, signal: round.signal }, round.actor),
    log,
    signal,
  })
}
