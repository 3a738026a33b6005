import type { Session } from '../../../postgres/index.ts'
import type { Epoch } from '../epoch/link.ts'
import type { LogDefinition } from '../logs.ts'
import type { Head } from '../store.ts'
import type { VerifyOptions } from './options.ts'
import type { ProblemList } from './problems.ts'

/** What the steps of the verification of one log share. */
export interface LogVerification {
  /** A snapshot that stays the same throughout. */
  readonly session: Session
  readonly log: LogDefinition
  readonly head: Head
  /** The links as stored; verifyEpochs() checks them. */
  readonly epochs: readonly Epoch[]
  /** With the keys that may sign in each epoch. */
  readonly options: VerifyOptions
  readonly problems: ProblemList
}
