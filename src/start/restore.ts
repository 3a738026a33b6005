import { mkdir, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
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
import { AkashiError, errno, folderOfFileUrl } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import { verifyAndRecord } from '../operations/index.ts'
import { type Actor, openRestoreFolder, startEmbedded } from '../postgres/index.ts'
import { type Connections, connect, embeddedAddresses } from './connections.ts'
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
  /** Command that fetches one WAL file, for a later manual recovery. */
  readonly walFetch: string
  /** Whether to check every table, every index and the ledger afterwards. */
  readonly check: boolean
  readonly signal: AbortSignal
  readonly onProgress: (phase: 'wal' | 'files' | 'recovery', done: number, total: number) => void
}

export interface RestoreReport extends Restored {
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
  const { settings, backupStore, keyring, target, timeline, walFetch, signal, onProgress } = request
  const to = resolve(request.to)
  if (to === resolve(settings.data)) {
    throw new AkashiError('invalid_input', 'a restore needs a new data folder', {
      hint: 'give another folder with --to; nothing was changed',
    })
  }
  const folder = await openRestoreFolder(to)
  let restored: Restored
  try {
    restored = await restoreCluster(backupStore, folder, {
      target,
      walFetch,
      signal,
      onProgress,
      ...(timeline === undefined ? {} : { timeline }),
    })
  } finally {
    await folder.close()
  }
  await share(keysUrl(settings), join(to, 'keys'))
  await share(objectStoreUrl(settings), join(to, 'objects'))
  const server = await startEmbedded({ dataDir: to, port: 0, signal })
  try {
    const store = await openObjects(settings)
    const connections = await connect(embeddedAddresses(server.port, server.superuser), keyring, settings)
    await setRolePasswords(connections, server)
    await continueLedger(connections, store, request)
    const tables = await countRows(connections, signal)
    const checks = request.check ? await checkAll(connections, store, request) : null
    server.detach()
    const rows = tables.reduce((sum, table) => sum + table.rows, 0)
    return { ...restored, url: connections.adminUrl, tables, rows, checks }
  } catch (error) {
    await server.stop()
    throw error
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
        `${structure.tables} tables and ${structure.indexes} indexes checked, ${verify.logs.reduce((sum, { checked }) => sum + checked, 0)} rows of the ledger: ${found.length === 0 && verify.ok ? 'no problems' : 'damaged'}`,
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
  fileURLToPath(new URL('../cli/main.ts', import.meta.url)),
]
