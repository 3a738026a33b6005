import { AkashiError, given, traced } from '../../foundation/index.ts'
import { openReplication } from '../../postgres/index.ts'
import { chainOf, readCatalog } from '../catalog/catalog.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { BackupKind, BackupManifest } from '../types.ts'
import { type BackupSource, type TakeOptions, takeBackup } from './take.ts'

/** Returns the system id and timeline of a server. @throws forbidden, invalid_config, unavailable */
export async function identify(
  url: string,
  signal?: AbortSignal,
): Promise<{ readonly systemId: string; readonly timeline: number }> {
  const replication = await openReplication(url, {
    applicationName: 'akashi backup',
    ...given({ signal }),
  })
  try {
    const { systemId, timeline } = await replication.identify()
    return { systemId, timeline }
  } finally {
    await replication.close()
  }
}

/**
 * Takes a backup; an incremental is based on the newest backup of the server's timeline.
 * @throws conflict if there is none
 */
export async function runBackup(
  backupStore: BackupStore,
  source: BackupSource,
  kind: BackupKind,
  options: Pick<TakeOptions, 'signal' | 'onProgress'> = {},
): Promise<BackupManifest> {
  return await traced(`backup ${kind}`, {}, async () => {
    if (kind === 'full') return await takeBackup(backupStore, source, { ...options, kind })
    const parent = await parentFor(backupStore, source, options.signal)
    return await takeBackup(backupStore, source, { ...options, kind, parent })
  })
}

async function parentFor(
  backupStore: BackupStore,
  source: BackupSource,
  signal?: AbortSignal,
): Promise<BackupManifest> {
  const { timeline } = await identify(source.url, signal)
  const { backups } = await readCatalog(backupStore, signal)
  const newest = backups.filter((backup) => chainOf(backups, backup) !== undefined).at(-1)
  if (newest !== undefined && newest.timeline === timeline) return newest
  throw new AkashiError(
    'conflict',
    newest === undefined
      ? 'there is no backup that an incremental could be based on'
      : `the newest backup is on timeline ${newest.timeline}, the server on ${timeline}`,
    { hint: 'take a full backup first: akashi backup full' },
  )
}
