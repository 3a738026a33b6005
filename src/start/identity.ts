import { systemClock } from '../foundation/index.ts'
import type { Identity } from '../http/index.ts'
import {
  flushApiKeyUses,
  openBreachedPasswords,
  openIssuer,
  openPasswords,
  openSealer,
  readLoginRules,
} from '../identity/index.ts'
import { type Keyring, openPersonVault } from '../keys/index.ts'
import { anonymous, type ContextKey } from '../postgres/index.ts'
import type { Connections } from './connections.ts'
import type { Settings } from './settings.ts'

/** The key that contexts are signed with; the database knows it since `migrate up`. */
export async function contextKey(keyring: Keyring): Promise<ContextKey> {
  const { id } = await keyring.ensure('context')
  return { id, secret: await keyring.secret(id) }
}

/** Signing in and its two pools, which are closed with `cleanup`. */
export async function openIdentity(
  parts: {
    readonly settings: Settings
    readonly connections: Connections
    readonly keyring: Keyring
    readonly contextKey: ContextKey
  },
  cleanup: AsyncDisposableStack,
): Promise<Identity> {
  const { settings, connections, keyring } = parts
  const options = { poolSize: settings.poolSize, contextKey: parts.contextKey }
  const app = connections.open('app', options)
  cleanup.defer(() => app.close())
  cleanup.defer(() => flushApiKeyUses(app))
  const accounts = connections.open('worker', options)
  cleanup.defer(() => accounts.close())
  const vault = openPersonVault(keyring)
  return {
    login: {
      app,
      accounts,
      vault,
      passwords: openPasswords(),
      breached: openBreachedPasswords(settings.breachedPasswords),
      sealer: openSealer(vault),
      clock: systemClock,
    },
    issuers: settings.oidcIssuers.map((issuer) => openIssuer(issuer)),
    publicUrl: settings.publicUrl,
    rules: () => accounts.transaction(anonymous, readLoginRules, { readOnly: true }),
  }
}
