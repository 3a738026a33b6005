import type { AddressInfo } from 'node:net'
import { type BackupSource, createRestorePoint, pruneBackups } from '../backup/index.ts'
import { type Bus, type Feed, localBus, openFeed, openScanner, RoomSecrets, redisBus } from '../chat/index.ts'
import { AkashiError, appOf, given, type Logger, systemClock } from '../foundation/index.ts'
import { type BackupServices, buildApp, httpLimits, type Identity, type Services } from '../http/index.ts'
import { createFirstAdministrator, type FirstAdministrator } from '../identity/index.ts'
import { type Keyring, openRoomVault } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import {
  backupObstacle,
  diskOf,
  openClusterBackupStore,
  openLogBackupStore,
  openMetrics,
  readBackupSettings,
  rotateKey,
  systemStatus,
} from '../operations/index.ts'
import { type Actor, type Database, system } from '../postgres/index.ts'
import { makeReport } from '../report/index.ts'
import { listenError } from './address.ts'
import type { Connections } from './connections.ts'
import { examine } from './doctor/index.ts'
import { reapplyAtStart } from './erasures.ts'
import { openCertificate } from './https.ts'
import { openIdentity } from './identity.ts'
import { storeFolder } from './places.ts'
import { requireAdministrator, restoreTable } from './restore-table.ts'
import type { Settings } from './settings.ts'

export interface NodeParts {
  readonly settings: Settings
  readonly version: string
  readonly log: Logger
  readonly connections: Connections
  readonly keyring: Keyring
  /** Of the role `worker`. */
  readonly worker: Database
  readonly store: ObjectStore
}

export interface Ready {
  readonly url: string
  /** Set when this start created the first administrator, which it does if there is none. */
  readonly administrator: FirstAdministrator | undefined
}

/**
 * Serves HTTP until `cleanup` is disposed. Call `announce` when the whole process is ready: it creates the first
 * administrator, whose password is shown only once.
 */
export async function openNode(
  parts: NodeParts,
  cleanup: AsyncDisposableStack,
): Promise<{ readonly url: string; announce(onReady: (ready: Ready) => void): Promise<void> }> {
  const { settings, connections, keyring, ...rest } = parts
  await reapplyAtStart({ ...rest, keyring })
  const securityAdmin = connections.open('security_admin', { poolSize: settings.poolSize })
  cleanup.defer(() => securityAdmin.close())
  const identity = openIdentity({ settings, connections, keyring, worker: rest.worker }, cleanup)
  const bus = settings.redisUrl === undefined ? localBus() : await redisBus(settings.redisUrl, rest.log)
  cleanup.defer(() => bus.close())
  const { app } = identity.login
  const secrets = new RoomSecrets({ app, vault: openRoomVault(keyring), log: rest.log })
  const feed = openFeed({ app, worker: rest.worker, bus, secrets, log: rest.log })
  cleanup.defer(() => feed.close())
  const http = await serveHttp({
    ...rest,
    settings,
    connections,
    keyring,
    securityAdmin,
    identity,
    chat: { bus, feed },
    roomSecrets: secrets,
  })
  cleanup.defer(() => http.close())
  return {
    url: http.url,
    announce: async (onReady) => {
      const administrator = (await createFirstAdministrator(identity.login)) ?? undefined
      onReady({ url: http.url, administrator })
    },
  }
}

interface HttpParts {
  readonly settings: Settings
  readonly connections: Connections
  readonly version: string
  readonly log: Logger
  /** Of the role `worker`. */
  readonly worker: Database
  /** Of the role `security_admin`. */
  readonly securityAdmin: Database
  readonly keyring: Keyring
  readonly store: ObjectStore
  readonly chat: { readonly bus: Bus; readonly feed: Feed }
  readonly roomSecrets: RoomSecrets
  readonly identity: Identity
}

interface HttpServer {
  readonly url: string
  close(): Promise<void>
}

/** Serves HTTP until it is closed; running requests may finish. */
async function serveHttp(parts: HttpParts): Promise<HttpServer> {
  const { version, log, worker, securityAdmin, keyring, store, identity } = parts
  const { host, port, trustedProxies } = parts.settings
  const data = parts.settings.databaseUrl === undefined ? parts.settings.data : undefined
  const certificate = await openCertificate(parts.settings, log)
  const services: Services = {
    version,
    log,
    securityAdmin,
    app: identity.login.app,
    worker,
    store,
    freeBytes: async () => (await diskOf(storeFolder(parts.settings)))?.freeBytes ?? null,
    scansFiles: parts.settings.clamdUrl !== undefined,
    scanner:
      parts.settings.clamdUrl === undefined ? undefined : openScanner(new URL(parts.settings.clamdUrl)),
    chat: parts.chat,
    roomSecrets: parts.roomSecrets,
    keyring,
    personVault: identity.login.vault,
    backups: backupServices(parts),
    administer: (actor, work) => administer(parts, actor, work),
    rotateKey: (actor, options) =>
      administer(parts, actor, (owner) => rotateKey({ keyring, store, owner, worker, actor }, options)),
    diagnose: async (actor, signal) =>
      await examine({
        signal,
        config: () => Promise.resolve(parts.settings),
        actor: () => Promise.resolve(actor),
      }),
    makeReport: (actor, month, signal) =>
      makeReport(
        {
          securityAdmin,
          worker,
          keyring,
          store,
          app: appOf(parts.settings),
          clock: systemClock,
          actor,
          signal,
        },
        month,
      ),
    metrics: openMetrics(appOf(parts.settings), () => systemStatus(worker, system('metrics'), { data })),
    identity,
    trustedProxies,
    systemStatus: (actor, signal) => systemStatus(worker, actor, { data, ...given({ signal }) }),
    readiness: async (signal) => [
      await state('database', () =>
        worker.transaction(system('readiness'), (session) => session.query('select 1'), { signal }),
      ),
      await state('object store', () => store.head('checkpoints/ready')),
    ],
  }
  const http = buildApp(services, httpLimits, certificate?.options)
  try {
    await http.listen({ host, port })
  } catch (error) {
    await http.close()
    throw listenError(error, host, port)
  }
  const watch = certificate?.follow(http.server)
  const { port: bound } = http.server.address() as AddressInfo
  const scheme = certificate === undefined ? 'http' : 'https'
  return {
    url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: async () => {
      watch?.stop()
      await http.close()
    },
  }
}

async function administer<T>(
  { connections }: HttpParts,
  actor: Actor,
  work: (owner: Database) => Promise<T>,
): Promise<T> {
  const owner = connections.open('owner', { poolSize: 1 })
  try {
    await requireAdministrator(owner, actor, 'this')
    return await work(owner)
  } finally {
    await owner.close()
  }
}

function backupServices({ settings, connections, keyring, store, worker }: HttpParts): BackupServices {
  const withSource = async <T>(work: (source: BackupSource) => Promise<T>): Promise<T> => {
    const url = connections.directUrl('backup')
    const source = { url, database: connections.open('backup', { poolSize: 1 }) }
    try {
      const obstacle = await backupObstacle(source)
      if (obstacle !== undefined) {
        throw new AkashiError('unsupported', 'this server does not allow physical backups', {
          hint: obstacle,
        })
      }
      return await work(source)
    } finally {
      await source.database.close()
    }
  }
  return {
    open: (actor, signal) =>
      withSource((source) => openClusterBackupStore({ keyring, store, source }, worker, actor, signal)),
    point: (name, signal) => withSource((source) => createRestorePoint(source.database, name, signal)),
    planPrune: async (backupStore, actor, signal) => {
      const { retentionDays, incrementalHours, hold } = await readBackupSettings(worker, actor)
      return pruneBackups(backupStore, { retentionDays, incrementalHours, hold, dryRun: true, signal })
    },
    openForAuditCopies: (actor) => openLogBackupStore({ keyring, store, worker, actor }),
    restoreTable: (backupStore, actor, options) =>
      restoreTable({ settings, keyring, backupStore, actor, ...options }),
  }
}

async function state(
  name: string,
  check: () => Promise<unknown>,
): Promise<{ name: string; ok: boolean; detail: string }> {
  try {
    await check()
    return { name, ok: true, detail: 'responds' }
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : 'does not respond' }
  }
}
