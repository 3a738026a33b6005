/** `akashi up`: everything in one process, with an embedded PostgreSQL, a local object store and local keys. */
import { AkashiError, aborted, appOf, type Logger } from '../foundation/index.ts'
import { type Actor, clusterStatus, startEmbedded, system } from '../postgres/index.ts'
import { requireFreeAddress } from './address.ts'
import type { Ready } from './http.ts'
import { openKeys, openOwnedObjects } from './places.ts'
import { prepareCluster } from './prepare-cluster.ts'
import { scratchPlace } from './restore-table.ts'
import { openDataFolder, removeRunRecord, writeRunRecord } from './run-record.ts'
import type { Settings } from './settings.ts'
import { settleOwnership } from './store-notice.ts'
import { startTraces } from './traces/index.ts'
import { runWorker } from './worker.ts'

export interface UpOptions {
  readonly settings: Settings
  readonly version: string
  readonly log: Logger
  /** Stops everything gracefully. */
  readonly signal: AbortSignal
  /** Takes the object store over from its current owner, in this actor's name. */
  readonly takeOver?: Actor
  /** Called once, when everything is ready. */
  readonly onReady: (ready: Ready) => void
}

/** Resolves when the signal has stopped everything; throws when a part fails. */
export async function up(options: UpOptions): Promise<void> {
  const { settings, version, log, signal, onReady } = options
  if (settings.databaseUrl !== undefined) {
    throw new AkashiError('invalid_config', 'akashi up runs its own PostgreSQL, but DATABASE_URL is set', {
      hint: 'unset DATABASE_URL, or use akashi serve and akashi work',
    })
  }
  // Of a folder that is served already, that is what is reported.
  if ((await clusterStatus(settings.data)).state !== 'running') await requireFreeAddress(settings)
  await openDataFolder(settings.data)
  const cleanup = new AsyncDisposableStack()
  try {
    const traces = await startTraces(settings, log)
    cleanup.defer(() => traces.stop())
    const keyring = await openKeys(settings)
    cleanup.defer(() => keyring.close())
    const server = await startEmbedded({ dataDir: settings.data, port: 0, signal })
    cleanup.defer(() => server.stop())
    const connections = await prepareCluster({ server, keyring, settings, signal })
    const worker = connections.open('worker', { poolSize: settings.poolSize })
    cleanup.defer(() => worker.close())
    const { store, ownership } = await openOwnedObjects(
      settings,
      worker,
      options.takeOver ?? system('object-store'),
    )
    await settleOwnership(ownership, options)
    // Imported here, so that other commands do not load the server.
    const { openNode } = await import('./http.ts')
    const node = await openNode({ settings, version, log, connections, keyring, worker, store }, cleanup)
    const stopping = new AbortController()
    const running = await runWorker({
      connections,
      worker,
      keyring,
      store,
      ownership,
      data: settings.data,
      folder: settings.data,
      publicUrl: settings.publicUrl,
      scratch: scratchPlace(settings),
      policy: settings.policy,
      clamdUrl: settings.clamdUrl,
      app: appOf(settings),
      log,
      signal: AbortSignal.any([signal, stopping.signal]),
    })
    cleanup.defer(async () => {
      stopping.abort()
      await running.done
    })
    await writeRunRecord(settings.data, {
      pid: process.pid,
      http: node.url,
      startedAt: new Date().toISOString(),
    })
    cleanup.defer(() => removeRunRecord(settings.data))
    await node.announce(onReady)
    const ended = await Promise.race([aborted(signal), server.exited])
    if (ended !== undefined) {
      throw new AkashiError('unavailable', `PostgreSQL exited (${ended.signal ?? `status ${ended.code}`})`, {
        hint: `see its log in ${settings.data}, then start akashi again`,
      })
    }
  } finally {
    await cleanup.disposeAsync()
  }
}
