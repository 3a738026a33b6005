/** Replaces a cluster of an older major version by a new one. See docs/decisions/0022. */
import { mkdtemp, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import { clusterMajor, finishUpgrade, initialize, READY, SUPERUSER } from './cluster.ts'
import { replaceFile, syncFolder } from './files.ts'
import { dropSocketFolder, findHome, openHome, socketFolder } from './home.ts'
import type { Home } from './home-paths.ts'
import { LOCK_FILE, tryLock } from './lock.ts'
import { type CopyOptions, copyCluster, type Place } from './logical-copy.ts'
import { findUpgradePrograms, type UpgradePrograms } from './old-programs.ts'
import { clearLeftovers } from './recover.ts'
import { launch, type ServerProcess, shutDown } from './server-process.ts'
import { configText, serverArguments } from './settings.ts'

/** Unfinished; removed at the next attempt. */
const DRAFT_PREFIX = 'data.upgrading-'
const KEPT = /^data\.old-\d+$/

/** Only the server's account can enter the socket's folder. */
const PRIVATE_HBA = 'local all all trust\n'
/** Only part of the socket names; nothing listens on the network. */
const OLD_PORT = 5432
const NEW_PORT = 5433

export interface ClusterUpgrade {
  /** Major version of the old cluster, and version of the new one. */
  readonly from: string
  readonly to: string
  /** Where the old cluster will be kept. */
  readonly kept: string
  /**
   * Starts both servers and copies every role, tablespace and database.
   * @returns the names of the databases
   * @throws unavailable with the output of the programs
   */
  copy(options: CopyOptions): Promise<string[]>
  /** URL over the private socket; only between `copy` and `complete`. */
  oldUrl(database: string): string
  newUrl(database: string): string
  /** Stops both servers and replaces the old cluster by the new one. */
  complete(): Promise<void>
  /** Stops the servers and removes what was not completed. */
  close(): Promise<void>
}

/**
 * Locks a data folder whose embedded cluster is older than the embedded server, to upgrade it.
 * @returns undefined when the cluster already has the current version
 * @throws not_found, conflict (it runs, or is of a newer version), unsupported (a program is missing)
 */
export async function openUpgrade(
  dataDir: string,
  options: { readonly binaries?: string; readonly signal?: AbortSignal } = {},
): Promise<ClusterUpgrade | undefined> {
  const real = await realpath(dataDir).catch(() => dataDir)
  if ((await findHome(real)) === undefined) throw noCluster(dataDir)
  const lock = tryLock(join(real, LOCK_FILE))
  if (lock === undefined) {
    throw new AkashiError('conflict', `the embedded postgresql of ${dataDir} is running`, {
      hint: 'stop akashi up first; the data must not change while it is copied',
    })
  }
  try {
    const home = await openHome(real)
    await finishUpgrade(home)
    const from = await clusterMajor(home.clusterDir)
    if (from === undefined) throw noCluster(dataDir)
    const binaries = await findBinaries(home)
    const to = binaries.version.split('.')[0] ?? ''
    if (from === to) {
      lock.release()
      return undefined
    }
    if (Number(from) > Number(to)) {
      throw new AkashiError('conflict', `the cluster is of postgresql ${from}, newer than ${to}`, {
        hint: 'use a newer akashi; nothing was changed',
      })
    }
    const programs = await findUpgradePrograms(Number(from), Number(to), options.binaries)
    await clearLeftovers(home)
    await dropDrafts(home)
    return new Upgrade(home, binaries, programs, from, lock, options.signal)
  } catch (error) {
    lock.release()
    throw error
  }
}

/** The folders of old clusters that upgrades kept in a data folder. */
export async function keptClusters(dataDir: string): Promise<string[]> {
  const home = await findHome(await realpath(dataDir).catch(() => dataDir))
  if (home === undefined) return []
  return (await readdir(home)).filter((name) => KEPT.test(name)).map((name) => join(home, name))
}

/** Removes them. @throws conflict when the data folder has no other cluster */
export async function removeKeptClusters(dataDir: string): Promise<string[]> {
  const home = await findHome(await realpath(dataDir).catch(() => dataDir))
  const kept = await keptClusters(dataDir)
  if (home !== undefined && kept.length > 0 && (await clusterMajor(join(home, 'data'))) === undefined) {
    throw new AkashiError('conflict', `${dataDir} has only the old cluster`, {
      hint: 'complete akashi upgrade first',
    })
  }
  for (const folder of kept) await rm(folder, { recursive: true, force: true })
  return kept
}

class Upgrade implements ClusterUpgrade {
  readonly #home: Home
  readonly #binaries: Binaries
  readonly #programs: UpgradePrograms
  readonly #lock: { release(): void }
  readonly #signal: AbortSignal | undefined
  readonly #servers: ServerProcess[] = []
  #draft: string | undefined
  #socketDir: string | undefined
  readonly from: string
  readonly to: string
  readonly kept: string

  constructor(
    home: Home,
    binaries: Binaries,
    programs: UpgradePrograms,
    from: string,
    lock: { release(): void },
    signal: AbortSignal | undefined,
  ) {
    this.#home = home
    this.#binaries = binaries
    this.#programs = programs
    this.#lock = lock
    this.#signal = signal
    this.from = from
    this.to = binaries.version
    this.kept = join(home.dir, `data.old-${from}`)
  }

  async copy(options: CopyOptions): Promise<string[]> {
    const home = this.#home
    const draft = await mkdtemp(join(home.dir, DRAFT_PREFIX))
    this.#draft = draft
    const password = (await readFile(home.passwordFile, 'utf8')).trim()
    await initialize(home, this.#binaries, draft, password, { sync: true, signal: this.#signal })
    this.#socketDir = await socketFolder(home)
    await this.#launch(home.clusterDir, this.#programs.postgres, OLD_PORT, {
      ...OLD_SETTINGS,
      default_transaction_read_only: 'on',
    })
    await this.#launch(draft, this.#binaries.postgres, NEW_PORT, { synchronous_commit: 'off' })
    const place = (port: number): Place => ({ socketDir: this.#socketDir ?? '', port, user: SUPERUSER })
    return await copyCluster(this.#programs, place(OLD_PORT), place(NEW_PORT), {
      account: home.account,
      cwd: draft,
      ...options,
    })
  }

  oldUrl(database: string): string {
    return this.#url(OLD_PORT, database)
  }

  newUrl(database: string): string {
    return this.#url(NEW_PORT, database)
  }

  #url(port: number, database: string): string {
    const host = encodeURIComponent(this.#socketDir ?? '')
    return `postgresql://${SUPERUSER}@localhost:${port}/${encodeURIComponent(database)}?host=${host}`
  }

  async #launch(
    clusterDir: string,
    program: string,
    port: number,
    settings: Readonly<Record<string, string | undefined>>,
  ) {
    const { dir } = this.#home
    const home = {
      ...this.#home,
      clusterDir,
      configFile: join(dir, `postgresql.upgrade-${port}.conf`),
      hbaFile: join(dir, 'pg_hba.upgrade.conf'),
    }
    await writeFile(home.hbaFile, PRIVATE_HBA, { mode: 0o644 })
    await replaceFile(home.configFile, configText(settings), { mode: 0o644 })
    const args = [...serverArguments(home, port, this.#socketDir ?? ''), '-c', 'listen_addresses=']
    this.#servers.push(await launch(home, program, args, this.#signal))
  }

  /** If interrupted between the renames, the next start or upgrade completes it (finishUpgrade). */
  async complete(): Promise<void> {
    const { dir, clusterDir } = this.#home
    if (this.#draft === undefined) throw new Error('nothing was copied')
    await this.#stop()
    await rename(this.#draft, join(dir, READY))
    this.#draft = undefined
    await rename(clusterDir, this.kept)
    await rename(join(dir, READY), clusterDir)
    await syncFolder(dir)
  }

  async close(): Promise<void> {
    await this.#stop()
    if (this.#draft !== undefined) await rm(this.#draft, { recursive: true, force: true })
    const { dir } = this.#home
    for (const name of await readdir(dir)) {
      if (/^(postgresql\.upgrade-\d+|pg_hba\.upgrade)\.conf$/.test(name)) await rm(join(dir, name))
    }
    if (this.#socketDir !== undefined) await dropSocketFolder(this.#home, this.#socketDir)
    this.#lock.release()
  }

  async #stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) await shutDown(server)
  }
}

/** The old server may not know every setting of the new one. */
const OLD_SETTINGS: Readonly<Record<string, string | undefined>> = { summarize_wal: undefined }

/** Removes what an interrupted attempt left, its server included. An unused copy is made again. */
async function dropDrafts(home: Home): Promise<void> {
  for (const name of await readdir(home.dir)) {
    if (!name.startsWith(DRAFT_PREFIX) && name !== READY) continue
    const clusterDir = join(home.dir, name)
    await clearLeftovers({ ...home, clusterDir })
    await rm(clusterDir, { recursive: true, force: true })
  }
}

function noCluster(dataDir: string): AkashiError {
  return new AkashiError('not_found', `${dataDir} has no embedded database`, {
    hint: 'pass the folder that akashi up uses: --data DIR',
  })
}
