import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BackupManifest,
  type BackupSource,
  type BackupStore,
  dropSlot,
  identify,
  openBackupStore,
  protectCluster,
  pruneBackups,
  runBackup,
  type StreamEvent,
  verifyBackups,
} from '../backup/index.ts'
import { AkashiError, type Log } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore, StoreOwnership } from '../object-store/index.ts'
import { type Actor, type Database, type Provider, readCapabilities } from '../postgres/index.ts'
import { copyAuditLogs, pruneAuditLogCopies } from './audit-copies.ts'
import { readBackupSettings } from './backup-settings.ts'
import { watchBackups } from './backup-watch.ts'
import { type DrillKind, drill } from './drills.ts'
import { type Loop, runLoop } from './loops.ts'
import type { Task } from './schedule/index.ts'
import { isNotOwner } from './store-ownership.ts'
import { recordDamage, recordStreamEvent } from './wal-watch.ts'

/** Milliseconds between two attempts to stream after the server or the store became unavailable. */
const STREAM_RETRY_MS = 1_000

/** Milliseconds between two checks whether a server that did not allow backups does so now. */
const OBSTACLE_RETRY_MS = 300_000

export interface BackupParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
  /** Of the role `backup`. */
  readonly source: BackupSource
}

export interface DrillPlace {
  /** Folder for scratch servers. */
  readonly scratch: string
}

/** The backup store of the source's cluster. */
export async function openClusterBackupStore(
  { keyring, store, source }: BackupParts,
  worker: Database,
  actor: Actor,
  signal?: AbortSignal,
): Promise<BackupStore> {
  const { recipients } = await readBackupSettings(worker, actor)
  const { systemId } = await identify(source.url, signal)
  return openBackupStore({ keyring, store, recipients }, systemId)
}

/** What managed services offer for backup and restore, since they do not allow physical backups. */
const PROVIDER_BACKUPS: Readonly<Record<Provider, string>> = {
  rds: 'Amazon RDS has automated backups, restore-db-instance-to-point-in-time, and AWS Backup restore testing',
  aurora:
    'Amazon Aurora has continuous backup, restore-db-cluster-to-point-in-time, and AWS Backup restore testing',
  cloudsql:
    'Cloud SQL has automated backups and point-in-time recovery by gcloud sql instances clone --point-in-time',
  azure: 'Azure Database has automated backups and az postgres flexible-server restore --restore-time',
}

/** Why physical backups are not possible with this login; undefined if they are. */
export async function backupObstacle(source: Pick<BackupSource, 'url'>): Promise<string | undefined> {
  const { replication, login, walLevel, provider } = await readCapabilities(source.url)
  if (provider !== null) {
    return `use the backups of the provider: ${PROVIDER_BACKUPS[provider]}; to restore one table, copy it from such a restore`
  }
  if (!replication) {
    return `the login ${login} lacks the replication privilege: on your own server, run alter role ${login} replication; on managed PostgreSQL, use the backups of the provider`
  }
  return walLevel === 'minimal' ? 'wal_level is minimal: set it to replica and restart the server' : undefined
}

/** The tasks of the scheduled backup jobs. If the server does not allow physical backups, a run reports that and does nothing. */
export function backupTasks(parts: BackupParts & DrillPlace): Readonly<Record<string, Task>> {
  const ifPossible =
    (work: (backupStore: BackupStore, context: Parameters<Task>[0]) => ReturnType<Task>): Task =>
    async (context) => {
      const obstacle = await backupObstacle(parts.source)
      if (obstacle !== undefined) return { skipped: obstacle }
      return work(await openClusterBackupStore(parts, context.worker, context.actor, context.signal), context)
    }
  const drillTask = (kind: DrillKind) =>
    ifPossible(async (backupStore, { worker, actor, signal, onProgress }) => {
      const { keyring, store, source, scratch } = parts
      const found = await drill({
        keyring,
        store,
        source,
        backupStore,
        worker,
        actor,
        kind,
        place: scratch,
        signal,
        onPhase: (phase) => onProgress({ phase }),
      })
      if (found.ok)
        return { object: found.object, rpoSeconds: found.rpoSeconds, rtoSeconds: found.rtoSeconds }
      throw new AkashiError('integrity', `the recovery drill failed: ${found.problems.join('; ')}`, {
        hint: `see its report in the object store: ${found.object}`,
      })
    })
  return {
    'backup.full': ifPossible(async (backupStore, { worker, actor, signal }) => {
      const taken = await runBackup(backupStore, parts.source, 'full', { signal })
      await recordDamage(worker, actor, taken)
      return summary(taken)
    }),
    'backup.incremental': ifPossible(async (backupStore, { worker, actor, signal }) => {
      try {
        const taken = await runBackup(backupStore, parts.source, 'incremental', { signal })
        await recordDamage(worker, actor, taken)
        return summary(taken)
      } catch (error) {
        // Before version 17 there are no incremental backups; the daily full backups and the WAL are enough.
        if (error instanceof AkashiError && error.code === 'unsupported') return { skipped: error.message }
        if (!(error instanceof AkashiError) || error.code !== 'conflict') throw error
        return summary(await runBackup(backupStore, parts.source, 'full', { signal }))
      }
    }),
    'backup.drill': drillTask('drill'),
    'backup.recovery_test': drillTask('recovery_test'),
    'backup.audit_copy': async ({ worker, actor, signal }) => {
      const { keyring, store } = parts
      const { id, logs, bytes } = await copyAuditLogs({ keyring, store, worker, actor }, signal)
      const removed = await pruneAuditLogCopies({ keyring, store, worker, actor }, { signal })
      return { id, rows: logs.reduce((sum, { rows }) => sum + rows, 0), bytes, removed: removed.length }
    },
    'backup.watch': ifPossible((backupStore, { signal }) => watchBackups(backupStore, signal)),
    'backup.verify': ifPossible(async (backupStore, { signal }) => {
      const { ok, backups, walPieces, auditCopies, bytes, problems, gaps } = await verifyBackups(
        backupStore,
        {
          signal,
        },
      )
      if (ok) return { backups, walPieces, auditCopies, bytes }
      const missing = gaps
        .filter(({ declared }) => !declared)
        .map(({ timeline, from, to }) => `WAL of timeline ${timeline} from ${from} to ${to}`)
      throw new AkashiError(
        'integrity',
        `the backups are damaged: ${[...problems.map(({ object }) => object), ...missing].join('; ')}`,
        { hint: 'akashi backup verify lists all problems' },
      )
    }),
    'backup.rewrap': ifPossible(async (backupStore, { signal }) => ({
      keys: await backupStore.keys.rewrap(signal),
    })),
    'backup.prune': ifPossible(async (backupStore, { worker, actor, signal }) => {
      const { retentionDays, incrementalHours, hold } = await readBackupSettings(worker, actor)
      const { backups, objects } = await pruneBackups(backupStore, {
        retentionDays,
        incrementalHours,
        hold,
        signal,
      })
      return { backups: backups.length, objects: objects.length }
    }),
  }
}

function summary({ id, kind, bytes, stored, damaged = [] }: BackupManifest) {
  return { id, kind, bytes, stored, ...(damaged.length === 0 ? {} : { damaged: damaged.length }) }
}

/** Streams WAL to the store, in one process at a time. */
export function backupLoop(
  options: BackupParts & {
    readonly ownership: StoreOwnership
    /** Of the role `worker`. */
    readonly worker: Database
    readonly signal: AbortSignal
    readonly log: Log
  },
): Loop {
  const { worker, source, ownership, signal, log } = options
  let reported = false
  return runLoop({
    name: 'backup',
    worker,
    intervalMs: STREAM_RETRY_MS,
    signal,
    log,
    work: async (context) => {
      const obstacle = (await backupObstacle(source)) ?? (await otherOwner(ownership, source))
      if (obstacle !== undefined) {
        if (!reported) log.warn({ reason: obstacle }, 'WAL is not streamed')
        reported = true
        await sleep(OBSTACLE_RETRY_MS, undefined, { signal: context.signal }).catch(() => undefined)
        return
      }
      const backupStore = await openClusterBackupStore(options, worker, context.actor, context.signal)
      const recorded: Promise<unknown>[] = []
      const onEvent = (event: StreamEvent) => {
        const told = recordStreamEvent(worker, context.actor, event)
        recorded.push(
          told.catch((error: unknown) => log.error({ err: error }, 'an alarm could not be recorded')),
        )
      }
      try {
        await protectCluster(backupStore, source, { signal: context.signal, log, onEvent })
      } finally {
        await Promise.all(recorded)
      }
    },
  })
}

/** Why this installation stores nothing; what it kept for the store while it owned it must not fill the disk. */
async function otherOwner(ownership: StoreOwnership, source: BackupSource): Promise<string | undefined> {
  try {
    await ownership.assertOwned()
    return undefined
  } catch (error) {
    if (!isNotOwner(error)) throw error
    await dropSlot(source.database, { force: true })
    return error.message
  }
}
