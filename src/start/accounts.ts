import { openPasswords, type Passwords } from '../identity/index.ts'
import { type Keyring, openPersonVault, type PersonVault } from '../keys/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { findConnections } from './connections.ts'
import { openKeys } from './places.ts'
import type { Settings } from './settings.ts'

/** The dependencies of account management. */
export interface Accounts {
  readonly actor: Actor
  /** Of the role `worker`, which creates and changes accounts. */
  readonly worker: Database
  readonly vault: PersonVault
  readonly passwords: Passwords
  /** Of the role `app`, which acts for users. */
  readonly app: Database
  readonly keyring: Keyring
}

/** Opens the dependencies of account management, runs `work` and closes them. */
export async function withAccounts<T>(
  settings: Settings,
  actor: Actor,
  work: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  await using cleanup = new AsyncDisposableStack()
  const keyring = await openKeys(settings)
  cleanup.defer(() => keyring.close())
  const connections = await findConnections(settings, keyring)
  const options = { poolSize: 2 }
  const worker = connections.open('worker', options)
  cleanup.defer(() => worker.close())
  const app = connections.open('app', options)
  cleanup.defer(() => app.close())
  return await work({
    actor,
    worker,
    app,
    keyring,
    vault: openPersonVault(keyring),
    passwords: openPasswords(),
  })
}
