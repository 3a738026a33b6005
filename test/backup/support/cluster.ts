/** A server of its own with a backup store beside it, for tests of backup and restore. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BackupSource,
  type BackupStore,
  identify,
  openBackupStore,
  parseTarget,
  type Restored,
  restoreCluster,
  type StreamEvent,
  streamWal,
} from '../../../src/backup/index.ts'
import { type Keyring, openKeyring } from '../../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../../src/object-store/index.ts'
import {
  clusterStatus,
  type Database,
  type EmbeddedServer,
  leaveOutMachineSettings,
  openDatabase,
  openRestoreFolder,
  startEmbedded,
} from '../../../src/postgres/index.ts'
import { reachableFolder, removeDataDir } from '../../support/embedded.ts'
import { layCluster } from './template.ts'

const HEARTBEAT_MS = 300

export interface TestCluster {
  readonly server: EmbeddedServer
  /** The real folder of its data (PGDATA). */
  readonly folder: string
  readonly source: BackupSource
  readonly backupStore: BackupStore
  readonly store: ObjectStore
  readonly keyring: Keyring
  sql<R = Record<string, unknown>>(text: string): Promise<R[]>
  /** Streams WAL; `flushed` waits until everything up to now is in the store. */
  stream(options?: { readonly heartbeatMs?: number }): RunningStream
  stop(): Promise<void>
}

export interface RunningStream {
  readonly events: readonly StreamEvent[]
  /** Rejects when the stream failed. */
  readonly ended: Promise<void>
  /** Resolves when the store has everything that was written until now. */
  flushed(): Promise<void>
  stop(): Promise<void>
}

export async function startCluster(
  options: {
    readonly settings?: Record<string, string>
    readonly wrap?: (store: ObjectStore) => ObjectStore
  } = {},
): Promise<TestCluster> {
  const { wrap = (store) => store } = options
  const dataDir = await reachableFolder()
  await layCluster(dataDir)
  const side = await mkdtemp(join(tmpdir(), 'akashi-backups-'))
  const server = await startEmbedded({
    dataDir,
    port: 0,
    settings: { fsync: 'off', autovacuum: 'off', ...options.settings },
  })
  const url = server.url('postgres')
  const database = openDatabase({ url, role: 'owner', poolSize: 1 })
  const keyring = await openKeyring(`file:${join(side, 'keys')}`)
  const store = wrap(await openObjectStore(`file:${join(side, 'objects')}`))
  const { systemId } = await identify(url)
  const backupStore = await openBackupStore({ store, keyring }, systemId)
  const source = { url, database }
  const sql = <R>(text: string) => ask<R>(database, text)
  const { clusterDir: folder } = await clusterStatus(dataDir)
  return {
    server,
    folder,
    source,
    backupStore,
    store,
    keyring,
    sql,
    stream: ({ heartbeatMs = HEARTBEAT_MS } = {}) => startStream(backupStore, source, heartbeatMs, sql),
    stop: async () => {
      await database.close()
      await keyring.close()
      await server.stop()
      await removeDataDir(dataDir)
      await rm(side, { recursive: true, force: true })
    },
  }
}

function startStream(
  backupStore: BackupStore,
  source: BackupSource,
  heartbeatMs: number,
  sql: <R>(text: string) => Promise<R[]>,
): RunningStream {
  const stopping = new AbortController()
  const events: StreamEvent[] = []
  const waiting = new Set<() => void>()
  const ended = streamWal(backupStore, source, {
    signal: stopping.signal,
    heartbeatMs,
    onEvent: (event) => {
      events.push(event)
      for (const wake of waiting) wake()
    },
  })
  ended.catch(() => undefined)
  return {
    events,
    ended,
    flushed: async () => {
      const [row] = await sql<{ lsn: string }>(
        `select pg_logical_emit_message(true, 'test', '') is null, (pg_current_wal_flush_lsn() - '0/0')::text as lsn`,
      )
      // The message of that very statement is committed after its position was read.
      const [after] = await sql<{ lsn: string }>(`select (pg_current_wal_flush_lsn() - '0/0')::text as lsn`)
      const lsn = BigInt((after ?? row)?.lsn ?? '0')
      const reached = () => events.some((event) => event.kind === 'flushed' && event.lsn >= lsn)
      let wake: () => void = () => undefined
      const seen = new Promise<void>((resolve) => {
        wake = () => (reached() ? resolve() : undefined)
        waiting.add(wake)
        wake()
      })
      await Promise.race([seen, ended]).finally(() => waiting.delete(wake))
    },
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
}

export interface RestoredCluster extends Restored {
  /** Settings of the source that were left out, where that was asked for. */
  readonly leftOut: string[]
  sql<R = Record<string, unknown>>(text: string): Promise<R[]>
  stop(): Promise<void>
}

/** Restores into a folder of its own and starts a server on it. */
export async function restoreTo(
  backupStore: BackupStore,
  at: string,
  { leaveOut = false }: { readonly leaveOut?: boolean } = {},
): Promise<RestoredCluster> {
  const target = parseTarget(at)
  const dataDir = await mkdtemp(join(tmpdir(), 'akashi-restored-'))
  await chmod(dataDir, 0o711)
  try {
    const folder = await openRestoreFolder(dataDir)
    const restored = await restoreCluster(backupStore, folder, {
      target,
      walFetch: 'exit 200',
    }).finally(() => folder.close())
    const leftOut = leaveOut ? await leaveOutMachineSettings(dataDir) : []
    const { binaries } = restored
    const server = await startEmbedded({
      dataDir,
      port: 0,
      settings: { fsync: 'off' },
      ...(binaries === undefined ? {} : { binaries }),
    })
    const database = openDatabase({ url: server.url('postgres'), role: 'owner', poolSize: 1 })
    return {
      ...restored,
      leftOut,
      sql: (text) => ask(database, text),
      stop: async () => {
        await database.close()
        await server.stop()
        await removeDataDir(dataDir)
      },
    }
  } catch (error) {
    await removeDataDir(dataDir)
    throw error
  }
}

async function ask<R>(database: Database, text: string): Promise<R[]> {
  return await database.direct(async (session) => {
    // The tests' own tables are in public.
    await session.query('set search_path = public')
    return (await session.query<R>(text)).rows
  })
}
