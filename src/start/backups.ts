import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackupSource, type BackupStore, chooseSystem, openBackupStore } from '../backup/index.ts'
import { AkashiError } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import { backupObstacle, copyAuditLogs, openClusterBackupStore } from '../operations/index.ts'
import { type Actor, clusterStatus, type Database } from '../postgres/index.ts'
import { findAddresses, findConnections } from './connections.ts'
import { openKeys, openObjects, openOwnedObjects } from './places.ts'
import type { Settings } from './settings.ts'

export interface RunningBackups {
  readonly actor: Actor
  readonly keyring: Keyring
  readonly store: ObjectStore
  readonly backupStore: BackupStore
  readonly source: BackupSource
  /** Of the role `worker`. */
  readonly worker: Database
}

/**
 * Opens the backups of the configured database, which must be running.
 * @throws unsupported where only the provider makes physical backups
 */
export async function withRunningBackups<T>(
  settings: Settings,
  actor: Actor,
  work: (backups: RunningBackups) => Promise<T>,
): Promise<T> {
  const cleanup = new AsyncDisposableStack()
  try {
    const keyring = await openKeys(settings)
    cleanup.defer(() => keyring.close())
    const connections = await findConnections(settings, keyring)
    const worker = connections.open('worker', { poolSize: 1 })
    cleanup.defer(() => worker.close())
    const { store } = await openOwnedObjects(settings, worker, actor)
    const source = {
      url: connections.directUrl('backup'),
      database: connections.open('backup', { poolSize: 1 }),
    }
    cleanup.defer(() => source.database.close())
    const obstacle = await backupObstacle(source)
    if (obstacle !== undefined) throw noPhysicalBackup(obstacle)
    return await work({
      actor,
      keyring,
      store,
      backupStore: await openClusterBackupStore({ keyring, store, source }, worker, actor),
      source,
      worker,
    })
  } finally {
    await cleanup.disposeAsync()
  }
}

/** Takes a long-term audit copy of the configured database. */
export async function takeAuditLogCopy(settings: Settings, actor: Actor, signal: AbortSignal) {
  const keyring = await openKeys(settings)
  const worker = (await findConnections(settings, keyring)).open('worker', { poolSize: 1 })
  try {
    const { store } = await openOwnedObjects(settings, worker, actor)
    return await copyAuditLogs({ keyring, store, worker, actor }, signal)
  } finally {
    await worker.close()
    await keyring.close()
  }
}

/** Opens the backups in the store; needs no database. */
export async function withStoredBackups<T>(
  settings: Settings,
  cluster: string | undefined,
  work: (backupStore: BackupStore, keyring: Keyring) => Promise<T>,
): Promise<T> {
  const keyring = await openKeys(settings)
  try {
    const store = await openObjects(settings)
    const systemId = await chooseSystem(store, cluster, await localSystemId(settings)).catch(
      async (error: unknown) => {
        throw (await managedBackupError(settings, error)) ?? error
      },
    )
    return await work(await openBackupStore({ store, keyring }, systemId), keyring)
  } finally {
    await keyring.close()
  }
}

/** The error for a managed server, where the store has no backups because the provider makes them. */
async function managedBackupError(settings: Settings, error: unknown): Promise<AkashiError | undefined> {
  const { databaseUrl } = settings
  if (databaseUrl === undefined || !(error instanceof AkashiError) || error.code !== 'not_found') return
  const { adminUrl } = await findAddresses(settings)
  // If the database cannot be reached, the error of the store is reported.
  const obstacle = await backupObstacle({ url: adminUrl }).catch(() => undefined)
  return obstacle === undefined ? undefined : noPhysicalBackup(obstacle)
}

function noPhysicalBackup(obstacle: string): AkashiError {
  return new AkashiError('unsupported', 'this server does not allow physical backups', { hint: obstacle })
}

const SYSTEM_ID_BYTES = 8

/** The system identifier of the data folder's cluster, from the start of pg_control; undefined when there is none. */
async function localSystemId({ data, databaseUrl }: Settings): Promise<string | undefined> {
  if (databaseUrl !== undefined) return undefined
  try {
    const { clusterDir } = await clusterStatus(data)
    const file = await open(join(clusterDir, 'global', 'pg_control'))
    try {
      const { buffer } = await file.read(Buffer.alloc(SYSTEM_ID_BYTES), 0, SYSTEM_ID_BYTES, 0)
      return buffer.readBigUInt64LE().toString()
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}
