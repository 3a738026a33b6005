import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { coldCopiesPrefix } from '../backup/index.ts'
import { folderOfFileUrl, given } from '../foundation/index.ts'
import { type Keyring, openKeyring } from '../keys/index.ts'
import {
  type ObjectStore,
  openObjectStore,
  ownedStore,
  routedStore,
  type StoreOwnership,
  withDestinations,
} from '../object-store/index.ts'
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

/** The folder of the object store; undefined where it is not one of this machine. */
export function storeFolder(settings: Pick<Settings, 'data' | 'objectStoreUrl'>): string | undefined {
  const url = objectStoreUrl(settings)
  return url.startsWith('file:') ? folderOfFileUrl(url) : undefined
}

export function openKeys(settings: Pick<Settings, 'data' | 'keysUrl' | 'keysPassphrase'>): Promise<Keyring> {
  const passphrase = settings.keysPassphrase?.reveal()
  return openKeyring(keysUrl(settings), given({ passphrase }))
}

type StoreSettings = Pick<
  Settings,
  'data' | 'objectStoreUrl' | 'coldStoreUrl' | 'archiveDestinations' | 'azureConnectionString'
>

/**
 * The object store, including the stores of long-term copies of the audit log and of copies of the archive.
 */
export async function openObjects(settings: StoreSettings): Promise<ObjectStore> {
  const main = await openAt(objectStoreUrl(settings), settings)
  const { coldStoreUrl } = settings
  const store =
    coldStoreUrl === undefined
      ? main
      : routedStore(main, coldCopiesPrefix, () => openAt(coldStoreUrl, settings))
  return withDestinations(store, (name) => openDestination(settings, name))
}

/** Destinations for copies of the archive: name and URL. */
export function archiveDestinations(settings: StoreSettings): ReadonlyMap<string, string> {
  const { coldStoreUrl } = settings
  const named: Readonly<Record<string, string>> = settings.archiveDestinations
  return new Map([
    ['main', objectStoreUrl(settings)],
    ...(coldStoreUrl === undefined ? [] : [['cold', coldStoreUrl] as const]),
    ...Object.entries(named),
  ])
}

/** The store of a destination; undefined if none with the name is configured. */
export async function openDestination(
  settings: StoreSettings,
  name: string,
): Promise<ObjectStore | undefined> {
  const url = archiveDestinations(settings).get(name)
  return url === undefined ? undefined : await openAt(url, settings)
}

function openAt(url: string, { azureConnectionString }: StoreSettings): Promise<ObjectStore> {
  return openObjectStore(url, given({ azureConnectionString }))
}

/** The second store; undefined if there is none. */
export async function openColdObjects(settings: StoreSettings): Promise<ObjectStore | undefined> {
  return settings.coldStoreUrl === undefined ? undefined : await openAt(settings.coldStoreUrl, settings)
}

export interface OwnedObjects {
  /** Refuses every put and delete while the store belongs to another installation. */
  readonly store: ObjectStore
  readonly ownership: StoreOwnership
}

/**
 * The store with its ownership checked; everything that writes opens it this way.
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
