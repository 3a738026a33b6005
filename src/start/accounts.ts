import { openPasswords, type Passwords } from '../identity/index.ts'
import { type Keyring, openPersonVault, type PersonVault } from '../keys/index.ts'
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
  /** Of the role `app`, which acts for users. */
  readonly app: Database
  readonly keyring: Keyring
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
  const options = { poolSize: 2, contextKey: await contextKey(keyring) }
  const accounts = connections.open('owner', options)
  cleanup.defer(() => accounts.close())
  const app = connections.open('app', options)
  cleanup.defer(() => app.close())
  return await work({ accounts, app, keyring, vault: openPersonVault(keyring), passwords: openPasswords() })
}
