import { lstat, mkdir, readdir, realpath, rm, stat, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openEpoch, type VerifyReport } from '../audit/index.ts'
import {
  type BackupStore,
  checkStructure,
  type Restored,
  restoreCluster,
  type StructureCheck,
  type Target,
  targetText,
} from '../backup/index.ts'
import { AkashiError, errno, folderOfFileUrl, given, programFile } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import { openStoreOwnership, verifyAndRecord } from '../operations/index.ts'
import {
  type Actor,
  type Binaries,
  type EmbeddedServer,
  leaveOutMachineSettings,
  openRestoreFolder,
  removeCluster,
  startEmbedded,
} from '../postgres/index.ts'
import {
  type Connections,
  connect,
  DATABASE_NAME,
  embeddedAddresses,
  keepDatabaseName,
} from './connections.ts'
import { keysUrl, objectStoreUrl, openObjects } from './places.ts'
import { setRolePasswords } from './prepare-cluster.ts'
import type { Settings } from './settings.ts'

export interface RestoreRequest {
  readonly settings: Settings
  readonly actor: Actor
  readonly backupStore: BackupStore
  readonly keyring: Keyring
  readonly target: Target
  readonly timeline?: number
  /** Data folder to restore into; must not contain a database. */
  readonly to: string
  /** Folder with the programs of the backup's major version; default where packages install them. */
  readonly binaries?: string
  /** Command that fetches one WAL file, for a later manual recovery. */
  readonly walFetch: string
  /** The restored cluster takes over the object store: its former owner is lost or permanently stopped. */
  readonly takeOver: boolean
  /** Whether to check every table, every index and the ledger afterwards. */
  readonly check: boolean
  readonly signal: AbortSignal
  readonly onProgress: (phase: 'wal' | 'files' | 'recovery', done: number, total: number) => void
}

export interface RestoreReport extends Omit<Restored, 'binaries' | 'sourceDatabase'> {
  /** Names of settings of the source with which the server does not start on this machine. */
  readonly leftOut: readonly string[]
  /** Of the superuser, with its password. The server keeps running until `akashi up` on the folder replaces it. */
  readonly url: string
  /** Rows of every table of Akashi's database, and in all. */
  readonly tables: readonly { readonly table: string; readonly rows: number }[]
  readonly rows: number
  /** null if not requested. */
  readonly checks: RestoreChecks | null
}

export interface RestoreChecks {
  readonly ok: boolean
  readonly structure: StructureCheck
  readonly verify: VerifyReport
  /** For people. */
  readonly lines: readonly string[]
}

/**
 * Restores into a new data folder and leaves PostgreSQL running on it. The folder uses the current keyring and
 * object store, so persons erased since the target time stay erased.
 */
export async function restore(request: RestoreRequest): Promise<RestoreReport> {
  const { settings, backupStore, target, timeline, binaries, walFetch, signal, onProgress } = request
  const to = resolve(request.to)
  if (to === resolve(settings.data)) {
    throw new AkashiError('invalid_input', 'a restore needs a new data folder', {
      hint: 'give another folder with --to; nothing was changed',
    })
  }
  const wasThere = await stat(to).then(
    () => true,
    () => false,
  )
  if (wasThere) await assertFree(to, settings)
  const folder = await openRestoreFolder(to, binaries)
  try {
    const restored = await restoreCluster(backupStore, folder, {
      target,
      walFetch,
      signal,
      onProgress,
      ...given({ timeline }),
    }).finally(() => folder.close())
    await share(keysUrl(settings), join(to, 'keys'))
    await share(objectStoreUrl(settings), join(to, 'objects'))
    await keepDatabaseName(to, restored.sourceDatabase ?? DATABASE_NAME)
    return await finish(request, to, restored)
  } catch (error) {
    await undo(to, wasThere)
    throw error
  }
}

/** What a data folder whose cluster was lost may still contain. */
const LEFT_OVER = new Set([
  'postgres',
  'postgres.lock',
  'postgres.lock-journal',
  'run.json',
  'scratch',
  'cache',
])

/** Refuses a folder that belongs to something else or has another keyring. */
async function assertFree(to: string, settings: Settings): Promise<void> {
  const own = new Map([
    ['keys', keysUrl(settings)],
    ['objects', objectStoreUrl(settings)],
  ])
  for (const name of await readdir(to)) {
    const url = own.get(name)
    const isOwn =
      url?.startsWith('file:') === true &&
      (await realpath(join(to, name))) === (await realpath(folderOfFileUrl(url)).catch(() => undefined))
    if (isOwn || LEFT_OVER.has(name)) continue
    throw new AkashiError('conflict', `${to} is not empty: it has ${name}`, {
      hint: 'restore into a new folder; nothing was changed',
    })
  }
}

/** Files of a failed restore must not be read or started as if they were complete. */
async function undo(to: string, wasThere: boolean): Promise<void> {
  await removeCluster(to)
  if (!wasThere) return await rm(to, { recursive: true, force: true })
  for (const name of ['keys', 'objects', 'database']) {
    const path = join(to, name)
    const entry = await lstat(path).catch(() => undefined)
    if (entry?.isSymbolicLink() === true || entry?.isFile() === true) await rm(path)
  }
}

/** Starts the cluster, continues its ledger and checks it. */
async function finish(request: RestoreRequest, to: string, restored: Restored): Promise<RestoreReport> {
  const { settings, keyring, signal } = request
  const { server, leftOut } = await startRestored(to, restored.binaries, signal)
  try {
    const store = await openObjects(settings)
    const addresses = embeddedAddresses(server.port, server.superuser, restored.sourceDatabase)
    const connections = await connect(addresses, keyring, settings)
    await setRolePasswords(connections, server)
    // They hold the locks that a new epoch waits for; the worker opens it once they are settled.
    if (restored.prepared.length === 0) await continueLedger(connections, store, request)
    if (request.takeOver) await takeOver(connections, store, request)
    const tables = await countRows(connections, signal)
    const checks = request.check ? await checkAll(connections, store, request) : null
    server.detach()
    const rows = tables.reduce((sum, table) => sum + table.rows, 0)
    const { binaries: _, sourceDatabase: __, ...rest } = restored
    return { ...rest, leftOut, url: connections.adminUrl, tables, rows, checks }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function takeOver(
  connections: Connections,
  store: ObjectStore,
  { actor, signal }: RestoreRequest,
): Promise<void> {
  const worker = connections.open('worker', { poolSize: 1 })
  try {
    await openStoreOwnership(store, worker, actor).takeOver(signal)
  } finally {
    await worker.close()
  }
}

/** Keeps the settings of the source with which the server can start on this machine. */
async function startRestored(
  dataDir: string,
  binaries: Binaries | undefined,
  signal: AbortSignal,
): Promise<{ readonly server: EmbeddedServer; readonly leftOut: readonly string[] }> {
  const options = { dataDir, port: 0, signal, ...given({ binaries }) }
  try {
    return { server: await startEmbedded(options), leftOut: [] }
  } catch (error) {
    if (!(error instanceof AkashiError) || error.code !== 'unavailable') throw error
    const leftOut = await leaveOutMachineSettings(dataDir)
    if (leftOut.length === 0) throw error
    return { server: await startEmbedded(options), leftOut }
  }
}

/** Opens a new epoch: what the restored database seals differs from what was published after the target time. */
async function continueLedger(
  connections: Connections,
  store: ObjectStore,
  { keyring, actor, target }: RestoreRequest,
): Promise<void> {
  const worker = connections.open('worker', { poolSize: 2 })
  try {
    await openEpoch(worker, actor, keyring, store, `restored to ${targetText(target)}`)
  } finally {
    await worker.close()
  }
}

async function checkAll(
  connections: Connections,
  store: ObjectStore,
  { keyring, actor, signal }: RestoreRequest,
): Promise<RestoreChecks> {
  const owner = connections.open('owner', { poolSize: 1 })
  const worker = connections.open('worker', { poolSize: 2 })
  try {
    const structure = await checkStructure(owner, signal)
    const verify = await verifyAndRecord(worker, actor, { keyring, store }, { signal })
    const problems = verify.logs.flatMap((log) =>
      log.problems.map(({ kind, detail }) => `${log.log}: ${kind}: ${detail}`),
    )
    const found = [...structure.problems, ...problems]
    return {
      ok: structure.problems.length === 0 && verify.ok,
      structure,
      verify,
      lines: [
        `${structure.tables} tables, ${structure.indexes} indexes and ${structure.foreignKeys} foreign keys checked, ${verify.logs.reduce((sum, { checked }) => sum + checked, 0)} rows of the ledger: ${found.length === 0 && verify.ok ? 'no problems' : 'damaged'}`,
        ...found.map((problem) => `  ${problem}`),
      ],
    }
  } finally {
    await worker.close()
    await owner.close()
  }
}

/** Links a local folder into the data folder; remote locations remain settings. */
async function share(url: string, place: string): Promise<void> {
  if (!url.startsWith('file:')) return
  const original = folderOfFileUrl(url)
  await mkdir(original, { recursive: true, mode: 0o700 })
  try {
    await symlink(original, place)
  } catch (error) {
    if (errno(error) !== 'EEXIST') throw error
  }
}

async function countRows(
  connections: Connections,
  signal: AbortSignal,
): Promise<{ readonly table: string; readonly rows: number }[]> {
  const database = connections.open('owner', { poolSize: 1 })
  try {
    return await database.direct(
      async (session) => {
        const { rows: found } = await session.query<{ table: string }>(
          `select format('%I.%I', n.nspname, c.relname) as table
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1`,
        )
        const tables: { table: string; rows: number }[] = []
        for (const { table } of found) {
          const { rows } = await session.query<{ count: number }>(
            `select count(*)::float8 as count from ${table}`,
          )
          tables.push({ table, rows: rows[0]?.count ?? 0 })
        }
        return tables
      },
      { signal, timeoutMs: 0 },
    )
  } finally {
    await database.close()
  }
}

/** The command that starts this program. */
export const programCommand: readonly string[] = [
  process.execPath,
  programFile(import.meta.url, '../cli/main'),
]
