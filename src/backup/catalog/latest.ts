import { AkashiError, given } from '../../foundation/index.ts'
import { parseLsn } from '../../postgres/index.ts'
import { readManifest } from '../base/manifest.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { BackupManifest } from '../types.ts'
import { segmentStart } from '../wal/names.ts'
import { listPieces } from '../wal/pieces.ts'
import { listBackups } from './catalog.ts'
import { restorableRanges } from './window.ts'

export interface Latest {
  /** The newest complete backup. */
  readonly backup: Pick<BackupManifest, 'id' | 'stoppedAt'>
  /** The latest moment that it and the WAL after it can restore, ISO 8601. */
  readonly restorableTo: string
}

/**
 * The latest restorable moment, from the newest backup and the WAL after it alone, with a few requests
 * however much is stored. null without a complete backup.
 */
export async function readLatest(backupStore: BackupStore, signal?: AbortSignal): Promise<Latest | null> {
  const ids: string[] = []
  for await (const id of listBackups(backupStore, signal)) ids.push(id)
  for (const id of ids.reverse()) {
    const backup = await readIfComplete(backupStore, id, signal)
    if (backup === undefined) continue
    const { timeline, endLsn, walSegmentBytes } = backup
    // No piece is longer than a segment.
    const from = segmentStart(parseLsn(endLsn), walSegmentBytes)
    const pieces = await listPieces(backupStore.store, backupStore.systemId, {
      timeline,
      from,
      ...given({ signal }),
    })
    const alone = { backups: [{ ...backup, parent: null }], pieces, histories: new Map() }
    const range = restorableRanges(alone).find((one) => one.timeline === timeline)
    return { backup, restorableTo: new Date(range?.toMs ?? Date.parse(backup.stoppedAt)).toISOString() }
  }
  return null
}

/** undefined while it is being taken, when it was never completed, and when its manifest is damaged. */
async function readIfComplete(
  { store, systemId }: BackupStore,
  id: string,
  signal?: AbortSignal,
): Promise<BackupManifest | undefined> {
  try {
    return await readManifest(store, systemId, id, signal)
  } catch (error) {
    if (error instanceof AkashiError && ['not_found', 'integrity'].includes(error.code)) return undefined
    throw error
  }
}
