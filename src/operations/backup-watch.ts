/** How recent what can be restored is. */
import { type BackupStore, readLatest } from '../backup/index.ts'

/** As the job `backup-watch` records it; times as ISO 8601. */
export type Watched = {
  readonly backup: string
  readonly backupAt: string
  readonly restorableTo: string
}

/** The newest backup and the latest moment of the store; empty when there is no complete backup. */
export async function watchBackups(
  backupStore: BackupStore,
  signal?: AbortSignal,
): Promise<Watched | Readonly<Record<string, never>>> {
  const latest = await readLatest(backupStore, signal)
  if (latest === null) return {}
  const { backup, restorableTo } = latest
  return { backup: backup.id, backupAt: backup.stoppedAt, restorableTo }
}
