import { sweepScratch } from '../backup/index.ts'
import { openScanner } from '../chat/index.ts'
import type { Logger } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore, StoreOwnership } from '../object-store/index.ts'
import {
  archiveTasks,
  backupLoop,
  backupTasks,
  chatTasks,
  identityTasks,
  inspectionLoop,
  ledgerTasks,
  lifecycleTasks,
  sealLoop,
  startWorker,
  walWatchLoop,
  whenOwned,
} from '../operations/index.ts'
import type { Database } from '../postgres/index.ts'
import type { Connections } from './connections.ts'

export interface WorkerParts {
  readonly connections: Connections
  /** Of the role `worker`. */
  readonly worker: Database
  readonly keyring: Keyring
  readonly store: ObjectStore
  /** File of the policy that verification follows; see the setting. */
  readonly policy: string | undefined
  readonly ownership: StoreOwnership
  /** Data folder of an embedded server; undefined where it runs elsewhere. */
  readonly data: string | undefined
  /** Folder for scratch servers. */
  readonly scratch: string
  /** Undefined: there is no scanner, and uploaded files stay hidden. */
  readonly clamdUrl: string | undefined
  readonly log: Logger
  /** Stops everything; running jobs have some seconds to finish. */
  readonly signal: AbortSignal
}

/** Runs the background work: the sealer, the scheduled jobs, file inspection and backups. Any number of processes can run it. */
export async function runWorker(parts: WorkerParts): Promise<{ readonly done: Promise<void> }> {
  const {
    connections,
    worker: pool,
    keyring,
    store,
    policy,
    ownership,
    data,
    scratch,
    clamdUrl,
    log,
    signal,
  } = parts
  await sweepScratch(scratch)
  const source = {
    url: connections.directUrl('backup'),
    database: connections.open('backup', { poolSize: 1 }),
  }
  const worker = await startWorker({
    worker: pool,
    directUrl: connections.directUrl('worker'),
    tasks: {
      ...lifecycleTasks,
      // A copy that only reads must not give the running system's history another continuation.
      ...whenOwned(ownership, ledgerTasks({ keyring, store, policy }), ['ledger.publish']),
      ...whenOwned(ownership, archiveTasks(store, keyring)),
      ...whenOwned(ownership, backupTasks({ keyring, store, source, scratch })),
      ...chatTasks(store),
      ...identityTasks(keyring),
    },
    log,
    signal,
  })
  const sealer = sealLoop({ worker: pool, keyring, log, signal })
  const scanner = clamdUrl === undefined ? undefined : openScanner(new URL(clamdUrl))
  const inspection = inspectionLoop({ worker: pool, store, scanner, log, signal })
  const backup = backupLoop({ keyring, store, ownership, source, worker: pool, log, signal })
  const watch = walWatchLoop({ worker: pool, source, data, log, signal })
  return {
    done: Promise.all([worker.done, sealer.done, inspection.done, backup.done, watch.done]).then(() =>
      source.database.close(),
    ),
  }
}
