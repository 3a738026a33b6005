import type { AddressInfo } from 'node:net'
import { type BackupSource, createRestorePoint, pruneBackups } from '../backup/index.ts'
import { type Bus, type Feed, localBus, openFeed, redisBus } from '../chat/index.ts'
import { AkashiError, appOf, errno, type Logger } from '../foundation/index.ts'
import { type BackupServices, buildApp, type Identity } from '../http/index.ts'
import { createFirstAdministrator, type FirstAdministrator } from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import {
  backupObstacle,
  openClusterBackupStore,
  openLogBackupStore,
  openMetrics,
  readBackupSettings,
  systemStatus,
} from '../operations/index.ts'
import { type Database, system } from '../postgres/index.ts'
import type { Connections } from './connections.ts'
import { reapplyAtStart } from './erasures.ts'
import { openIdentity } from './identity.ts'
import { restoreTable } from './restore-table.ts'
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
  const feed = openFeed({ app: identity.login.app, worker: rest.worker, bus, log: rest.log })
  cleanup.defer(() => feed.close())
  const http = await serveHttp({
    ...rest,
    settings,
    connections,
    keyring,
    securityAdmin,
    identity,
    chat: { bus, feed },
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
  const http = buildApp({
    version,
    log,
    securityAdmin,
    app: identity.login.app,
    worker,
    store,
    scansFiles: parts.settings.clamdUrl !== undefined,
    chat: parts.chat,
    keyring,
    personVault: identity.login.vault,
    backups: backupServices(parts),
    metrics: openMetrics(appOf(parts.settings), () => systemStatus(worker, system('metrics'))),
    identity,
    trustedProxies,
    systemStatus: (actor, signal) => systemStatus(worker, actor, signal),
    readiness: async (signal) => [
      await state('database', () =>
        worker.transaction(system('readiness'), (session) => session.query('select 1'), { signal }),
      ),
      await state('object store', () => store.head('checkpoints/ready')),
    ],
  })
  try {
    await http.listen({ host, port })
  } catch (error) {
    await http.close()
    throw listenError(error, host, port)
  }
  const { port: bound } = http.server.address() as AddressInfo
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, close: () => http.close() }
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
      const { retentionDays, hold } = await readBackupSettings(worker, actor)
      return pruneBackups(backupStore, { retentionDays, hold, dryRun: true, signal })
    },
    openForAuditCopies: (actor) => openLogBackupStore({ keyring, store, worker, actor }),
    restoreTable: (backupStore, actor, options) =>
      restoreTable({ settings, keyring, backupStore, actor, ...options }),
  }
}

function listenError(error: unknown, host: string, port: number): unknown {
  const options = { hint: 'choose another --port (0 for any free one) or --host', cause: error }
  switch (errno(error)) {
    case 'EADDRINUSE':
      return new AkashiError('conflict', `${host}:${port} is in use by another program`, options)
    case 'EACCES':
      return new AkashiError('forbidden', `this account may not listen on ${host}:${port}`, options)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new AkashiError('invalid_config', `${host} is not an address of this machine`, options)
    default:
      return error
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
