import { checkTable } from '../audit/index.ts'
import { dropAbandonedLogins, sweepScratch } from '../backup/index.ts'
import { openScanner } from '../chat/index.ts'
import type { App, Logger } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore, StoreOwnership } from '../object-store/index.ts'
import {
  alarmLoop,
  archiveTasks,
  backupLoop,
  backupTasks,
  chatTasks,
  crosscheckLoop,
  deliveryLoop,
  detectionLoop,
  identityTasks,
  inspectionLoop,
  ledgerTasks,
  lifecycleTasks,
  maintenanceTasks,
  reportTasks,
  sealLoop,
  startWorker,
  structureTasks,
  walWatchLoop,
  whenOwned,
} from '../operations/index.ts'
import { type Database, openDatabase, system } from '../postgres/index.ts'
import { certificatesOf } from './certificates.ts'
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
  /** Folder that this process writes to. */
  readonly folder: string
  /** Where browsers reach the pages; undefined if only this machine does. */
  readonly publicUrl: string | undefined
  /** Folder for scratch servers. */
  readonly scratch: string
  /** Undefined: there is no scanner, and uploaded files stay hidden. */
  readonly clamdUrl: string | undefined
  readonly app: App
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
    folder,
    publicUrl,
    scratch,
    clamdUrl,
    app,
    log,
    signal,
  } = parts
  await sweepScratch(scratch)
  await sweepLogins(connections.adminUrl, log)
  const source = {
    url: connections.directUrl('backup'),
    database: connections.open('backup', { poolSize: 1 }),
  }
  // Connects once a month, when a report is made.
  const securityAdmin = connections.open('security_admin', { poolSize: 1 })
  const worker = await startWorker({
    worker: pool,
    directUrl: connections.directUrl('worker'),
    tasks: {
      ...lifecycleTasks,
      // A copy that only reads must not continue the history of the running system.
      ...whenOwned(ownership, ledgerTasks({ keyring, store, policy }), ['ledger.publish', 'ledger.thin']),
      ...whenOwned(ownership, archiveTasks(store, keyring)),
      ...whenOwned(ownership, backupTasks({ keyring, store, source, scratch })),
      ...structureTasks(connections.adminUrl),
      ...maintenanceTasks(connections.adminUrl),
      ...chatTasks(store, keyring),
      ...identityTasks(keyring),
      ...whenOwned(ownership, reportTasks({ securityAdmin, keyring, store, app })),
    },
    log,
    signal,
  })
  const sealer = sealLoop({ worker: pool, keyring, log, signal })
  const scanner = clamdUrl === undefined ? undefined : openScanner(new URL(clamdUrl))
  const inspection = inspectionLoop({ worker: pool, store, scanner, log, signal })
  const alarms = alarmLoop({
    worker: pool,
    store,
    keyring,
    data,
    folder,
    certificates: certificatesOf({ databaseUrl: connections.directUrl('worker'), publicUrl }),
    log,
    signal,
  })
  const detection = detectionLoop({ worker: pool, log, signal })
  const delivery = deliveryLoop({ worker: pool, keyring, log, signal })
  const backup = backupLoop({ keyring, store, ownership, source, worker: pool, log, signal })
  const crosscheck = crosscheckLoop({
    worker: pool,
    source,
    keyring,
    checkState: async (table, stop) => {
      // A login that may not read the table reports that; use akashi verify --state instead.
      const owner = connections.open('owner', { poolSize: 1 })
      try {
        return await checkTable(owner, pool, system('crosscheck'), table, { signal: stop })
      } finally {
        await owner.close()
      }
    },
    log,
    signal,
  })
  const watch = walWatchLoop({ worker: pool, source, data, log, signal })
  return {
    done: Promise.all([
      worker.done,
      sealer.done,
      inspection.done,
      backup.done,
      crosscheck.done,
      delivery.done,
      detection.done,
      alarms.done,
      watch.done,
    ]).then(() => Promise.all([source.database.close(), securityAdmin.close()]).then(() => undefined)),
  }
}

/** Removes what a killed restore of a table left: its login has the rights of the table's owner. */
async function sweepLogins(adminUrl: string, log: Logger): Promise<void> {
  const administrator = openDatabase({ url: adminUrl, role: 'owner', poolSize: 1 })
  try {
    await dropAbandonedLogins(administrator)
  } catch (error) {
    log.warn({ err: error }, 'the login of a killed restore could not be dropped')
  } finally {
    await administrator.close()
  }
}
