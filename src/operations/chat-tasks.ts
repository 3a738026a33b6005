import { forgetRooms, inspectUploads, purgeExpired, removeDeletedFiles, type Scanner } from '../chat/index.ts'
import type { Log } from '../foundation/index.ts'
import { type Keyring, openRoomVault } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Database } from '../postgres/index.ts'
import { type Loop, runLoop } from './loops.ts'
import type { Task } from './schedule/index.ts'

/** Notified when a file was uploaded. */
const UPLOADS_CHANNEL = 'akashi_uploads'
/** Milliseconds between two checks for uploaded files whose notification was lost. */
const INSPECTION_INTERVAL_MS = 10_000

/** The code behind `akashi_lifecycle.jobs.task` for chat. */
export function chatTasks(store: ObjectStore, keyring: Keyring): Readonly<Record<string, Task>> {
  return {
    'chat.purge': async ({ worker, actor, signal }) => {
      const removed = await purgeExpired(worker, actor, signal)
      const keys = await forgetRooms(worker, actor, openRoomVault(keyring))
      let files = 0
      for (;;) {
        const some = await removeDeletedFiles({ worker, store, signal }, actor)
        files += some
        if (some === 0) return { ...removed, 'keys of rooms': keys, files }
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
    wakeOn: UPLOADS_CHANNEL,
    work: async (round) => {
      const waiting = { worker: round.worker, store, scanner, signal: round.signal }
      while ((await inspectUploads(waiting, round.actor)) > 0) round.signal.throwIfAborted()
    },
    log,
    signal,
  })
}
