import { AkashiError } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { DataKeys } from './data-keys.ts'
import { identitiesOf } from './identity.ts'
import { backupsPrefix, coldCopiesPrefix } from './paths.ts'

/** The backups of one cluster in a store, with their keys. */
export interface BackupStore {
  readonly store: ObjectStore
  readonly systemId: string
  readonly keys: DataKeys
  /** The backups of another cluster in the same store. */
  of(systemId: string): BackupStore
}

export interface BackupStoreOptions {
  readonly store: ObjectStore
  readonly keyring: Keyring
  /** Further public keys (`age1…`) that can decrypt backups. */
  readonly recipients?: readonly string[]
}

export async function openBackupStore(options: BackupStoreOptions, systemId: string): Promise<BackupStore> {
  const { store, keyring, recipients = [] } = options
  const who = { identities: await identitiesOf(keyring), recipients }
  const of = (id: string): BackupStore => ({ store, systemId: id, keys: new DataKeys(store, id, who), of })
  return of(systemId)
}

/** Ids of the clusters with backups, WAL or cold copies of the audit log in the store. */
export async function storedSystems(store: ObjectStore): Promise<string[]> {
  const systems = new Set<string>()
  for (const prefix of [backupsPrefix, coldCopiesPrefix]) {
    for await (const folder of store.listFolders(prefix)) systems.add(folder.slice(prefix.length, -1))
  }
  return [...systems].sort()
}

/** The requested cluster, else the local one, else the only one in the store. */
export async function chooseSystem(
  store: ObjectStore,
  wanted?: string,
  localSystemId?: string,
): Promise<string> {
  const systems = await storedSystems(store)
  if (wanted === undefined && localSystemId !== undefined && systems.includes(localSystemId))
    return localSystemId
  if (wanted !== undefined && systems.includes(wanted)) return wanted
  const [only] = systems
  if (wanted === undefined && only !== undefined && systems.length === 1) return only
  if (systems.length === 0) {
    throw new AkashiError('not_found', `no backup in ${store.location}`, {
      hint: 'take one with akashi backup full, or select another store (OBJECT_STORE_URL)',
    })
  }
  throw new AkashiError(
    wanted === undefined ? 'invalid_input' : 'not_found',
    wanted === undefined ? 'the store has backups of several clusters' : `no cluster ${wanted} in the store`,
    { hint: `choose one with --cluster: ${systems.join(', ')}` },
  )
}
