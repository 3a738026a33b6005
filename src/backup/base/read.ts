import { AkashiError } from '../../foundation/index.ts'
import { indexName } from '../vault/paths.ts'
import { readSealed } from '../vault/sealed-object.ts'
import { damagedObject } from '../vault/sealing.ts'
import type { Vault } from '../vault/vault.ts'
import { type BackupIndex, decodeIndex } from './backup-index.ts'
import { readRange } from './pack-reader.ts'

export async function readIndex(vault: Vault, id: string, signal?: AbortSignal): Promise<BackupIndex> {
  const name = indexName(vault.systemId, id)
  const bytes = await readSealed(vault.store, vault.keys, { kind: 'index', name }, signal)
  try {
    return decodeIndex(bytes)
  } catch (cause) {
    throw damagedObject(name, 'it is no index', cause)
  }
}

/** One file of a backup, fetching only the frames that hold it. @throws not_found, integrity */
export async function readFile(
  vault: Vault,
  index: BackupIndex,
  path: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  const file = index.files.find((candidate) => candidate.path === path)
  if (file === undefined) throw new AkashiError('not_found', `the backup has no file ${path}`)
  return readRange({ store: vault.store, keys: vault.keys, signal }, index, file.offset, file.size)
}
