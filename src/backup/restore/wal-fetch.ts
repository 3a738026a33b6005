import { rename, writeFile } from 'node:fs/promises'
import { AkashiError } from '../../foundation/index.ts'
import { readCatalog } from '../catalog/catalog.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { listHistories, readHistory } from '../wal/history.ts'
import { parseSegmentFile } from '../wal/names.ts'
import { readWal } from '../wal/read.ts'

const HISTORY = /^([0-9A-F]{8})\.history$/

/**
 * Fetches the WAL file that PostgreSQL requests (restore_command's `%f`) to a path (`%p`), atomically.
 * @returns false if the store definitely has no such file
 * @throws on any failure, which PostgreSQL must not take for the end of the WAL
 */
export async function fetchWal(backupStore: BackupStore, file: string, path: string): Promise<boolean> {
  const content = await contentOf(backupStore, file)
  if (content === undefined) return false
  const temporary = `${path}.fetching`
  await writeFile(temporary, content, { mode: 0o600 })
  await rename(temporary, path)
  return true
}

async function contentOf(backupStore: BackupStore, file: string): Promise<Buffer | string | undefined> {
  const [, timeline] = HISTORY.exec(file) ?? []
  if (timeline !== undefined) {
    const wanted = Number.parseInt(timeline, 16)
    const known = await listHistories(backupStore.store, backupStore.systemId)
    return known.includes(wanted) ? readHistory(backupStore, wanted) : undefined
  }
  const segmentBytes = (await readCatalog(backupStore)).backups.at(-1)?.walSegmentBytes
  if (segmentBytes === undefined) {
    throw new AkashiError('not_found', 'no backup to determine the WAL segment size from')
  }
  const wanted = parseSegmentFile(file, segmentBytes)
  if (wanted === undefined) return undefined
  const { timeline: own, start } = wanted
  const found = await readWal(backupStore, own, { start, end: start + BigInt(segmentBytes) })
  // The server takes whole segments only.
  return found === undefined || found.length === segmentBytes ? found : Buffer.concat([found], segmentBytes)
}
