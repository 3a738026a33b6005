import { AkashiError } from '../../foundation/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { indexName } from '../store/paths.ts'
import { readSealed } from '../store/sealed-object.ts'
import { damagedObject } from '../store/sealing.ts'
import { type BackupIndex, decodeIndex } from './backup-index.ts'
import { readRange } from './pack-reader.ts'

export async function readIndex(
  backupStore: BackupStore,
  id: string,
  signal?: AbortSignal,
): Promise<BackupIndex> {
  const name = indexName(backupStore.systemId, id)
  const bytes = await readSealed(backupStore.store, backupStore.keys, { kind: 'index', name }, signal)
  try {
    return decodeIndex(bytes)
  } catch (cause) {
    throw damagedObject(name, 'not an index', cause)
  }
}

/** Reads one file of a backup, fetching only its frames. @throws not_found, integrity */
export async function readFile(
  backupStore: BackupStore,
  index: BackupIndex,
  path: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  const file = index.files.find((candidate) => candidate.path === path)
  if (file === undefined) throw new AkashiError('not_found', `the backup has no file ${path}`)
  return readRange(
    { store: backupStore.store, keys: backupStore.keys, signal },
    index,
    file.offset,
    file.size,
  )
}
