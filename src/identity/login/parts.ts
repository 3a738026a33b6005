import type { Clock } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'
import type { Database } from '../../postgres/index.ts'
import type { BreachedPasswords, Passwords } from '../passwords/index.ts'
import type { Sealer } from '../sessions/index.ts'

/** The dependencies of sign-in. */
export interface LoginParts {
  /** Of the role `app`: for what users do themselves, under row-level security. */
  readonly app: Database
  /** Of the role `worker`: for work before the user is authenticated. */
  readonly worker: Database
  readonly vault: PersonVault
  readonly passwords: Passwords
  readonly breached: BreachedPasswords
  readonly sealer: Sealer
  readonly clock: Clock
}
