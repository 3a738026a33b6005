import type { SystemStatus } from '@akashi/contract'
import type { FastifyBaseLogger } from 'fastify'
import type { Registry } from 'prom-client'
import type { BackupStore, Pruned, TableRestored, TableRestoreOptions } from '../backup/index.ts'
import type { Bus, Feed } from '../chat/index.ts'
import type { Issuer, LoginParts, LoginRules } from '../identity/index.ts'
import type { Keyring, PersonVault } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

export interface DependencyState {
  readonly name: string
  readonly ok: boolean
  /** One line for the operator; never a secret. */
  readonly detail: string
}

/** Who somebody is, and how they show it. */
export interface Identity {
  readonly login: LoginParts
  /** OpenID providers, as configured. */
  readonly issuers: readonly Issuer[]
  /** `https://host` where browsers reach this server; undefined where only this machine does. */
  readonly publicUrl: string | undefined
  /** What policy says about signing in, now. */
  readonly rules: () => Promise<LoginRules>
}

/** Backups of the cluster that the server is on. */
export interface BackupServices {
  /** @throws unsupported where physical backups are the provider's */
  open(actor: Actor, signal: AbortSignal): Promise<BackupStore>
  /** Names the present moment; answers its position in the WAL. @throws unsupported as `open` does */
  point(name: string, signal: AbortSignal): Promise<string>
  /** What `prune` would remove now; changes nothing. */
  planPrune(backupStore: BackupStore, actor: Actor, signal: AbortSignal): Promise<Pruned>
  /** For copies of the audit log, which managed PostgreSQL has too. */
  openForAuditCopies(actor: Actor): Promise<BackupStore>
  restoreTable(
    backupStore: BackupStore,
    actor: Actor,
    options: Omit<TableRestoreOptions, 'place' | 'databaseName' | 'liveUrl'>,
  ): Promise<TableRestored>
}

/** What the routes need from the rest of Akashi. Every wait ends when its signal is aborted. */
export interface Services {
  readonly version: string
  readonly log: FastifyBaseLogger
  readonly readiness: (signal: AbortSignal) => Promise<readonly DependencyState[]>
  readonly systemStatus: (actor: Actor, signal: AbortSignal) => Promise<SystemStatus>
  /** Of the role `security_admin`: reads all of the trail, the events and the ledger, whoever asks; routes decide who may. */
  readonly securityAdmin: Database
  /** Of the role `app`: row-level security decides what whoever asks finds. */
  readonly app: Database
  /** Of the role `worker`: what no user's rights are about. */
  readonly worker: Database
  /** Where the bytes of files are. */
  readonly store: ObjectStore
  /** Whether uploaded files are scanned; without a scanner they stay hidden. */
  readonly scansFiles: boolean
  /** What tells sockets of news, on this node and on others. */
  readonly chat: { readonly bus: Bus; readonly feed: Feed }
  /** Opens personal columns. */
  readonly personVault: PersonVault
  /** Destroys the keys of persons. */
  readonly keyring: Keyring
  readonly metrics: Registry
  readonly backups: BackupServices
  readonly identity: Identity
  /** Addresses and networks of proxies whose word on where a request came from counts. */
  readonly trustedProxies: readonly string[]
}
