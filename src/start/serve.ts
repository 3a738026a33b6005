/** `akashi serve` and `akashi work`: the HTTP server and the worker on an external PostgreSQL. */
import { AkashiError, aborted, appOf, type Logger } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { type Actor, refuseFormerDatabase, requireServerLogin, system } from '../postgres/index.ts'
import { type Connections, findConnections } from './connections.ts'
import { reapplyAtStart } from './erasures.ts'
import type { Ready } from './http.ts'
import { openKeys, openOwnedObjects } from './places.ts'
import { scratchPlace } from './restore-table.ts'
import { openDataFolder } from './run-record.ts'
import type { Settings } from './settings.ts'
import { settleOwnership } from './store-notice.ts'
import { startTraces } from './traces/index.ts'
import { runWorker } from './worker.ts'

export interface ProcessOptions {
  readonly settings: Settings
  readonly version: string
  readonly log: Logger
  /** Stops the process gracefully. */
  readonly signal: AbortSignal
}

/** A stateless HTTP server; any number can use one database. */
export async function serve(
  options: ProcessOptions & {
    readonly onReady: (ready: Ready) => void
  },
): Promise<void> {
  const { settings, version, log, signal, onReady } = options
  requireDatabaseUrl(settings, 'serve')
  await openDataFolder(settings.data)
  const cleanup = new AsyncDisposableStack()
  try {
    const traces = await startTraces(settings, log)
    cleanup.defer(() => traces.stop())
    const keyring = await openKeys(settings)
    cleanup.defer(() => keyring.close())
    const connections = await connectAsServer(settings, keyring)
    const worker = connections.open('worker', { poolSize: settings.poolSize })
    cleanup.defer(() => worker.close())
    const { store } = await openOwnedObjects(settings, worker, system('object-store'))
    // Imported here, so that other commands do not load the server.
    const { openNode } = await import('./http.ts')
    const node = await openNode({ settings, version, log, connections, keyring, worker, store }, cleanup)
    await node.announce(onReady)
    await aborted(signal)
  } finally {
    await cleanup.disposeAsync()
  }
}

/** The sealer and the scheduled jobs; any number of processes can use one database. */
export async function work(
  options: ProcessOptions & {
    /** Takes the object store over from its current owner, in this actor's name. */
    readonly takeOver?: Actor
    readonly onReady: () => void
  },
): Promise<void> {
  const { settings, log, signal, onReady } = options
  requireDatabaseUrl(settings, 'work')
  await openDataFolder(settings.data)
  const cleanup = new AsyncDisposableStack()
  try {
    const traces = await startTraces(settings, log)
    cleanup.defer(() => traces.stop())
    const keyring = await openKeys(settings)
    cleanup.defer(() => keyring.close())
    const connections = await connectAsServer(settings, keyring)
    const worker = connections.open('worker', { poolSize: settings.poolSize })
    cleanup.defer(() => worker.close())
    const { store, ownership } = await openOwnedObjects(
      settings,
      worker,
      options.takeOver ?? system('object-store'),
    )
    await settleOwnership(ownership, options)
    await reapplyAtStart({ worker, keyring, log, signal })
    const running = await runWorker({
      connections,
      worker,
      keyring,
      store,
      ownership,
      data: undefined,
      folder: settings.data,
      publicUrl: settings.publicUrl,
      scratch: scratchPlace(settings),
      policy: settings.policy,
      clamdUrl: settings.clamdUrl,
      app: appOf(settings),
      log,
      signal,
    })
    onReady()
    await running.done
  } finally {
    await cleanup.disposeAsync()
  }
}

/** Every role that `serve` and `work` act as. */
const serverRoles = ['app', 'worker', 'security_admin', 'backup'] as const

/** Refuses to start with an unsuitable database or login. */
async function connectAsServer(settings: Settings, keyring: Keyring): Promise<Connections> {
  const connections = await findConnections(settings, keyring)
  const database = connections.open('owner', { poolSize: 1 })
  await database.direct(refuseFormerDatabase).finally(() => database.close())
  await requireServerLogin(connections.adminUrl, serverRoles)
  return connections
}

function requireDatabaseUrl(settings: Settings, verb: string): void {
  if (settings.databaseUrl === undefined) {
    throw new AkashiError('invalid_config', `akashi ${verb} needs a database`, {
      hint: 'set DATABASE_URL with the login akashi_server, or use akashi up, which has its own PostgreSQL',
    })
  }
}
