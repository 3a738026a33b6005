import type { Diagnosis, SystemStatus } from '@akashi/contract'
import type { FastifyBaseLogger } from 'fastify'
import type { Registry } from 'prom-client'
import type { BackupStore, Pruned, TableRestored, TableRestoreOptions } from '../backup/index.ts'
import type { Bus, Feed, RoomSecrets, Scanner } from '../chat/index.ts'
import type { Issuer, LoginParts, LoginRules } from '../identity/index.ts'
import type { Keyring, PersonVault } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { KeyRotation, RotateOptions } from '../operations/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import type { MadeReport } from '../report/index.ts'

export interface DependencyState {
  readonly name: string
  readonly ok: boolean
  /** One line for the operator; never a secret. */
  readonly detail: string
}

/** Authentication: sign-in, identity providers, policies. */
export interface Identity {
  readonly login: LoginParts
  /** OpenID providers, as configured. */
  readonly issuers: readonly Issuer[]
  /** `https://host` under which browsers reach this server; undefined if it serves only this machine. */
  readonly publicUrl: string | undefined
  /** The current sign-in policies. */
  readonly rules: () => Promise<LoginRules>
}

/** Backups of the server's cluster. */
export interface BackupServices {
  /** @throws unsupported on managed PostgreSQL, where the provider makes physical backups */
  open(actor: Actor, signal: AbortSignal): Promise<BackupStore>
  /** Creates a restore point and returns its WAL position. @throws unsupported like `open` */
  point(name: string, signal: AbortSignal): Promise<string>
  /** What `prune` would remove now. */
  planPrune(backupStore: BackupStore, actor: Actor, signal: AbortSignal): Promise<Pruned>
  /** For copies of the audit log, which managed PostgreSQL has too. */
  openForAuditCopies(actor: Actor): Promise<BackupStore>
  restoreTable(
    backupStore: BackupStore,
    actor: Actor,
    options: Omit<TableRestoreOptions, 'place' | 'databaseName' | 'liveUrl'>,
  ): Promise<TableRestored>
}

/** What the routes need from the rest of Akashi. */
export interface Services {
  readonly version: string
  readonly log: FastifyBaseLogger
  readonly readiness: (signal: AbortSignal) => Promise<readonly DependencyState[]>
  readonly systemStatus: (actor: Actor, signal: AbortSignal) => Promise<SystemStatus>
  /** Role `security_admin`: reads all audit rows, events and ledgers for any caller; the routes check permissions. */
  readonly securityAdmin: Database
  /** Role `app`: row-level security restricts rows to those that the caller may see. */
  readonly app: Database
  /** Role `worker`: for work outside of any user's privileges. */
  readonly worker: Database
  /** Contains the content of files. */
  readonly store: ObjectStore
  /** Free bytes on the disk with uploaded files; null if they are not stored on a disk of this machine. */
  readonly freeBytes: () => Promise<number | null>
  /** Whether uploaded files are scanned; without a scanner they stay hidden. */
  readonly scansFiles: boolean
  /** Scans pictures of people; undefined where there is none. */
  readonly scanner: Scanner | undefined
  /** Notifies sockets on this and other servers. */
  readonly chat: { readonly bus: Bus; readonly feed: Feed }
  /** Reads and writes encrypted rooms, which the database has as ciphertext. */
  readonly roomSecrets: RoomSecrets
  /** Decrypts personal columns. */
  readonly personVault: PersonVault
  /** Destroys the keys of persons. */
  readonly keyring: Keyring
  /** @throws unsupported if the server's login lacks the privilege */
  rotateKey(actor: Actor, options: RotateOptions): Promise<KeyRotation>
  /** The checks of `akashi doctor`. */
  diagnose(actor: Actor, signal: AbortSignal): Promise<Diagnosis>
  /**
   * Work that needs an administrator of the database. @throws unsupported if the server's login is not one
   */
  administer<T>(actor: Actor, work: (owner: Database) => Promise<T>): Promise<T>
  readonly metrics: Registry
  readonly backups: BackupServices
  /** Makes a compliance report; without a month, of the one that ended last. */
  readonly makeReport: (actor: Actor, month: string | undefined, signal: AbortSignal) => Promise<MadeReport>
  readonly identity: Identity
  /** Addresses and networks of proxies whose forwarding headers are trusted. */
  readonly trustedProxies: readonly string[]
}
