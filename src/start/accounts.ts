import { openPasswords, type Passwords } from '../identity/index.ts'
import { openPersonVault, type PersonVault } from '../keys/index.ts'
import type { Database } from '../postgres/index.ts'
import { findConnections } from './connections.ts'
import { contextKey } from './identity.ts'
import { openKeys } from './places.ts'
import type { Settings } from './settings.ts'

/** What managing accounts works with. */
export interface Accounts {
  /** Of the role `owner`: whoever administers the database. */
  readonly accounts: Database
  readonly vault: PersonVault
  readonly passwords: Passwords
}

/** Opens what managing accounts needs, for one piece of work. */
export async function withAccounts<T>(
  settings: Settings,
  work: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  await using cleanup = new AsyncDisposableStack()
  const connections = await findConnections(settings)
  const keyring = await openKeys(settings)
  cleanup.defer(() => keyring.close())
  const accounts = connections.open('owner', { poolSize: 2, contextKey: await contextKey(keyring) })
  cleanup.defer(() => accounts.close())
  return await work({ accounts, vault: openPersonVault(keyring), passwords: openPasswords() })
}
