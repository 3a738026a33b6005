import type { Clock } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'
import type { Database } from '../../postgres/index.ts'
import type { BreachedPasswords, Passwords } from '../passwords/index.ts'
import type { Sealer } from '../sessions/index.ts'

/** What signing in works with. */
export interface LoginParts {
  /** Of the role `app`: what a user does for themselves, under row-level security. */
  readonly app: Database
  /** Of the role `worker`: what is done before it is known for whom. */
  readonly worker: Database
  readonly vault: PersonVault
  readonly passwords: Passwords
  readonly breached: BreachedPasswords
  readonly sealer: Sealer
  readonly clock: Clock
}
