import { timingSafeEqual } from 'node:crypto'
import type { ObjectStore } from '../../object-store/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { manifestName } from '../store/paths.ts'
import { authenticate, damagedObject } from '../store/sealing.ts'
import { readObject } from '../store/transfer.ts'
import { type BackupManifest, manifestSchema } from '../types.ts'

export function signManifest(key: DataKey, manifest: Omit<BackupManifest, 'mac'>): BackupManifest {
  return { ...manifest, mac: authenticate(key.secret, canonical(manifest)) }
}

/** Reads the stored manifest without authenticating it; see {@link checkManifest}. */
export async function readManifest(
  store: ObjectStore,
  systemId: string,
  id: string,
  signal?: AbortSignal,
): Promise<BackupManifest> {
  const name = manifestName(systemId, id)
  const bytes = await readObject(store, name, signal)
  try {
    const manifest = manifestSchema.parse(JSON.parse(bytes.toString()))
    if (manifest.id !== id || manifest.systemId !== systemId) throw new Error('it belongs to another backup')
    return manifest
  } catch (cause) {
    throw damagedObject(name, 'not a manifest of this backup', cause)
  }
}

/** @throws integrity if it was changed */
export async function checkManifest(
  backupStore: BackupStore,
  manifest: BackupManifest,
  signal?: AbortSignal,
): Promise<void> {
  const { mac, ...rest } = manifest
  const name = manifestName(backupStore.systemId, manifest.id)
  const key = await backupStore.keys.open(manifest.key, name, signal)
  const expected = Buffer.from(authenticate(key.secret, canonical(rest)))
  const found = Buffer.from(mac)
  if (expected.length !== found.length || !timingSafeEqual(expected, found)) {
    throw damagedObject(name, 'it was changed')
  }
}

/** JSON with sorted members, so that the text is deterministic. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
