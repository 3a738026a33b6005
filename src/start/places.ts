import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Keyring, openKeyring } from '../keys/index.ts'
import { type ObjectStore, openObjectStore, ownedStore, type StoreOwnership } from '../object-store/index.ts'
import { openStoreOwnership } from '../operations/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import type { Settings } from './settings.ts'

/** URL of the keyring: the setting, or else a folder in the data folder. */
export function keysUrl(settings: Pick<Settings, 'data' | 'keysUrl'>): string {
  return settings.keysUrl ?? pathToFileURL(join(settings.data, 'keys')).href
}

/** URL of the object store: the setting, or else a folder in the data folder. */
export function objectStoreUrl(settings: Pick<Settings, 'data' | 'objectStoreUrl'>): string {
  return settings.objectStoreUrl ?? pathToFileURL(join(settings.data, 'objects')).href
}

export function openKeys(settings: Pick<Settings, 'data' | 'keysUrl' | 'keysPassphrase'>): Promise<Keyring> {
  const passphrase = settings.keysPassphrase?.reveal()
  return openKeyring(keysUrl(settings), passphrase === undefined ? {} : { passphrase })
}

export function openObjects(
  settings: Pick<Settings, 'data' | 'objectStoreUrl' | 'azureConnectionString'>,
): Promise<ObjectStore> {
  const { azureConnectionString } = settings
  return openObjectStore(
    objectStoreUrl(settings),
    azureConnectionString === undefined ? {} : { azureConnectionString },
  )
}

export interface OwnedObjects {
  /** Refuses every put and delete while the store belongs to another installation. */
  readonly store: ObjectStore
  readonly ownership: StoreOwnership
}

/**
 * The store as a database's installation may use it; whatever writes opens it this way.
 *
 * @param worker of the role `worker`
 */
export async function openOwnedObjects(
  settings: Settings,
  worker: Database,
  actor: Actor,
): Promise<OwnedObjects> {
  const store = await openObjects(settings)
  const ownership = openStoreOwnership(store, worker, actor)
  return { store: ownedStore(store, ownership), ownership }
}
