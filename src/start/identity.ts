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
import { type Database, system } from '../postgres/index.ts'
import type { Connections } from './connections.ts'
import type { Settings } from './settings.ts'

/** Opens sign-in and the application's pool, which `cleanup` closes. */
export function openIdentity(
  parts: {
    readonly settings: Settings
    readonly connections: Connections
    readonly keyring: Keyring
    /** Of the role `worker`. */
    readonly worker: Database
  },
  cleanup: AsyncDisposableStack,
): Identity {
  const { settings, connections, keyring, worker } = parts
  const app = connections.open('app', { poolSize: settings.poolSize })
  cleanup.defer(() => app.close())
  cleanup.defer(() => flushApiKeyUses(app))
  const vault = openPersonVault(keyring)
  return {
    login: {
      app,
      worker,
      vault,
      passwords: openPasswords(),
      breached: openBreachedPasswords(settings.breachedPasswords),
      sealer: openSealer(vault),
      clock: systemClock,
    },
    issuers: settings.oidcIssuers.map((issuer) => openIssuer(issuer)),
    publicUrl: settings.publicUrl,
    rules: () => worker.transaction(system('login-rules'), readLoginRules, { readOnly: true }),
  }
}
