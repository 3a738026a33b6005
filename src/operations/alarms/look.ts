/** How conditions are checked. */
import type { Log } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database, ServerCertificate } from '../../postgres/index.ts'
import type { ConditionName } from './conditions.ts'
import type { AlarmSettings } from './settings.ts'

export interface AlarmParts {
  /** Of the role `worker`. */
  readonly worker: Database
  readonly store: ObjectStore
  readonly keyring: Keyring
  /** Folder of an embedded server's data; undefined where the server runs elsewhere. */
  readonly data: string | undefined
  /** Folder that this process writes to. */
  readonly folder: string
  /** Certificates that clients see, by what shows them. */
  readonly certificates: () => Promise<readonly (ServerCertificate & { readonly of: string })[]>
  readonly log: Log
}

export interface Watch extends AlarmParts {
  readonly actor: Actor
  readonly settings: AlarmSettings
  readonly signal: AbortSignal
  /** Of this process. */
  readonly now: Date
}

/** What holds. */
export interface Found {
  readonly condition: ConditionName
  /** What it is about where it can be several. */
  readonly subject?: string
  /** What is seen, one line. */
  readonly detail: string
  readonly value?: number
  /** Seconds that it must hold, instead of the condition's. */
  readonly seconds?: number
}

/** Conditions that are checked together. If it throws, their alarms stay unchanged. */
export interface Look {
  readonly conditions: readonly ConditionName[]
  /** It asks somebody else than the database, who may take long to answer. */
  readonly elsewhere?: true
  look(watch: Watch): Promise<readonly Found[]>
}
