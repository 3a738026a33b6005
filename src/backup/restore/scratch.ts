/** A temporary server with the cluster, or a part of it, as of a moment. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, errno, given, type TableName } from '../../foundation/index.ts'
import {
  type Database,
  type DatabaseRole,
  formatLsn,
  openDatabase,
  openRestoreFolder,
  removeCluster,
} from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { parseHistory } from '../wal/history.ts'
import { ownerRights } from './owner-rights.ts'
import {
  assertStopped,
  type End,
  endOfRecovery,
  type Prepared,
  type PrepareOptions,
  prepareFolder,
} from './run.ts'

/** Time limit of the recovery in milliseconds, as for a restore. */
const RECOVERY_TIMEOUT_MS = 4 * 3_600_000

const ROLE_BYTES = 6

/** Keeps the recovered state unchanged. */
const UNTOUCHED = { autovacuum: 'off', log_statement: 'none' }

/**
 * If relations are left out, WAL refers to missing pages. Recovery recreates what it can; these relations are
 * never read.
 */
const IN_PART = { ...UNTOUCHED, ignore_invalid_pages: 'on', fsync: 'off', full_page_writes: 'off' }

export interface Scratch extends Prepared {
  /** Time of the last restored transaction (ISO 8601); null if there was none since the backup. */
  readonly reachedTime: string | null
  readonly reachedLsn: string
  /** As superuser. */
  readonly database: Database
  /** Connection of a login that can read every table and do nothing else. */
  reader(): Promise<Database>
  /**
   * Connection of a login that has the rights of a table's owner and sees every row; it can only read a
   * superuser's table.
   */
  asOwner(table: TableName & { readonly owner: string }): Promise<Database>
  /** As one of Akashi's roles; closed with the server. */
  open(role: Exclude<DatabaseRole, 'owner'>): Database
  /** Duration of fetching and of recovery until the server accepted queries. */
  readonly milliseconds: { readonly fetch: number; readonly recovery: number }
}

export type ScratchOptions = Omit<PrepareOptions, 'walFetch'> & {
  /** Parent folder of its data folder. */
  readonly place: string
  /** Database to connect to. */
  readonly databaseName: string
  /** Folder with the programs of the backup's major version; default where packages put them. */
  readonly binaries?: string
}

/**
 * Recovers a temporary server, passes it to `work`, and removes it. Writes nothing to the store.
 * @throws the errors of a restore
 */
export async function withScratch<T>(
  backupStore: BackupStore,
  options: ScratchOptions,
  work: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  const { place, databaseName, binaries, signal, keep } = options
  await mkdir(place, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
  await sweepScratch(place)
  const dataDir = await mkdtemp(join(place, `scratch-${process.pid}-`))
  const cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rm(dataDir, { recursive: true, force: true }))
  cleanup.defer(() => removeCluster(dataDir))
  try {
    const folder = await openRestoreFolder(dataDir, binaries)
    cleanup.defer(() => folder.close())
    const started = performance.now()
    const prepared = await prepareFolder(backupStore, folder, { ...options, walFetch: 'exit 1' })
    const fetched = performance.now()
    const server = await folder.recover({
      timeoutMs: RECOVERY_TIMEOUT_MS,
      settings: keep === undefined ? UNTOUCHED : IN_PART,
      ...given({ signal }),
    })
    cleanup.defer(() => server.stop())
    const database = openDatabase({ url: server.url(databaseName), role: 'owner', poolSize: 1 })
    cleanup.defer(() => database.close())
    const end = await readEnd(database)
    assertStopped(prepared, end.reachedLsn)
    const milliseconds = { fetch: fetched - started, recovery: performance.now() - fetched }
    const lent = (database: Database) => {
      cleanup.defer(() => database.close())
      return database
    }
    const login = async (rights: (role: string) => string) => {
      const role = `akashi_scratch_${randomBytes(ROLE_BYTES).toString('hex')}`
      await database.direct((session) =>
        session.query(`create role ${role} login nosuperuser bypassrls; ${rights(role)}`),
      )
      return lent(openDatabase({ url: server.url(databaseName, role), role: 'owner', poolSize: 1 }))
    }
    const open = (role: Exclude<DatabaseRole, 'owner'>) => {
      return lent(openDatabase({ url: server.url(databaseName, `akashi_${role}`), role, poolSize: 2 }))
    }
    const reader = () => login((role) => `grant pg_read_all_data to ${role}`)
    const asOwner = async (table: Parameters<Scratch['asOwner']>[0]) => {
      const rights = await database.direct((session) => ownerRights(session, table))
      return await login(rights)
    }
    return await work({ ...prepared, ...end, database, milliseconds, open, reader, asOwner })
  } finally {
    await cleanup.disposeAsync()
  }
}

/**
 * Removes the servers and files of processes that were killed while they recovered something. At the start of a
 * worker and of each recovery: what they had restored must not stay readable.
 */
export async function sweepScratch(place: string): Promise<void> {
  const names = await readdir(place).catch(() => [])
  for (const name of names) {
    const [, pid] = SCRATCH.exec(name) ?? []
    if (pid === undefined || isAlive(Number(pid))) continue
    const dataDir = join(place, name)
    try {
      await removeCluster(dataDir)
    } catch (error) {
      // Its lock is held: the process runs on another machine or in another container with the same process
      // id.
      if (error instanceof AkashiError && error.code === 'conflict') continue
      throw error
    }
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Named after the process that works in it. */
const SCRATCH = /^scratch-(\d+)-/

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errno(error) === 'EPERM'
  }
}

async function readEnd(database: Database): Promise<Pick<Scratch, 'reachedTime' | 'reachedLsn'>> {
  return await database.direct(async (session) => {
    const { rows } = await session.query<End>(endOfRecovery)
    const [end] = rows
    if (end === undefined || end.recovering) {
      throw new AkashiError('unavailable', 'PostgreSQL did not finish recovery', { hint: 'check its log' })
    }
    const { rows: histories } = await session.query<{ content: string }>(
      `select pg_read_file('pg_wal/' || $1::text || '.history') as content`,
      [end.timeline],
    )
    return {
      reachedTime: end.reached === null ? null : new Date(end.reached).toISOString(),
      reachedLsn: formatLsn(parseHistory(histories[0]?.content ?? '').at(-1)?.end ?? 0n),
    }
  })
}
