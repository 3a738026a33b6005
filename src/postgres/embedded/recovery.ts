/** Assembles a cluster from a backup and runs the server that recovers it. */
import { randomBytes } from 'node:crypto'
import { lchown, mkdir, mkdtemp, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import { clusterMajor, SUPERUSER } from './cluster.ts'
import { replaceFile } from './files.ts'
import { dropSocketFolder, openHome, socketFolder } from './home.ts'
import type { Home } from './home-paths.ts'
import { LOCK_FILE, tryLock } from './lock.ts'
import { NEUTRAL } from './machine-settings.ts'
import { findServer } from './old-programs.ts'
import { choosePort } from './port.ts'
import { launch, shutDown } from './server-process.ts'
import { configText, serverArguments } from './settings.ts'

const DRAFT_PREFIX = 'data.restoring-'
const PASSWORD_BYTES = 32

/** Only the server's account can enter the socket's folder. */
const RECOVERY_HBA = 'local all all trust\n'

export interface RecoveredServer {
  /** URL over the private socket, where every login is trusted. Default login: the superuser. */
  url(database: string, login?: string): string
  stop(): Promise<void>
}

interface RecoverOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs: number
  /** Override the cluster's own settings while this server runs. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A data folder into which a cluster is being restored. */
export interface RestoreFolder {
  /** Where the files of the cluster go. */
  readonly draft: string
  /** Where WAL for the recovery goes; removed at the end. */
  readonly walFolder: string
  /** Where the files of a tablespace go; permanent. */
  tablespace(oid: string): string
  /**
   * Chooses the server of a major version.
   * @throws unsupported if it is not on this machine
   */
  use(major: number): Promise<void>
  /** The chosen server; undefined for the embedded one. */
  readonly binaries: Binaries | undefined
  /** Makes the draft the cluster of the data folder. */
  complete(): Promise<void>
  /**
   * Starts the server, which recovers as its settings say, and waits until it has finished and accepts writes.
   * @throws unavailable with the server's error message
   */
  recover(options: RecoverOptions): Promise<RecoveredServer>
  /** The superuser with its new password, which is also in the folder's password file. */
  readonly superuser: { readonly user: string; readonly password: string }
  /** Removes the remains of a failed restore, or after a successful one what only the recovery needed. */
  close(): Promise<void>
}

/**
 * Locks a data folder that has no cluster yet.
 * @param binaries folder with the programs of another major version; default where packages install them
 * @throws conflict when it has one, or when another process uses it
 */
export async function openRestoreFolder(path: string, binaries?: string): Promise<RestoreFolder> {
  await mkdir(path, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
  const dataDir = await realpath(path)
  const lock = tryLock(join(dataDir, LOCK_FILE))
  if (lock === undefined) throw occupied(dataDir)
  try {
    const home = await openHome(dataDir)
    if ((await clusterMajor(home.clusterDir)) !== undefined) throw occupied(dataDir)
    const embedded = await findBinaries(home)
    let server = embedded
    const draft = await mkdtemp(join(home.dir, DRAFT_PREFIX))
    const walFolder = join(home.dir, 'restore-wal')
    await rm(walFolder, { recursive: true, force: true })
    const password = randomBytes(PASSWORD_BYTES).toString('base64url')
    return {
      draft,
      walFolder,
      tablespace: (oid) => join(home.dir, 'tablespaces', oid),
      use: async (major) => {
        const isEmbedded = binaries === undefined && majorOf(embedded) === major
        server = isEmbedded ? embedded : await findServer(major, binaries)
      },
      get binaries() {
        return server === embedded ? undefined : server
      },
      superuser: { user: SUPERUSER, password },
      complete: async () => {
        for (const folder of [draft, walFolder, join(home.dir, 'tablespaces')]) await handOver(home, folder)
        await replaceFile(home.passwordFile, `${password}\n`, { mode: 0o600, sync: true })
        await rename(draft, home.clusterDir)
      },
      recover: (options) => recover(home, server, options),
      close: async () => {
        await rm(draft, { recursive: true, force: true })
        await rm(walFolder, { recursive: true, force: true })
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

function majorOf({ version }: Binaries): number {
  return Number.parseInt(version, 10)
}

function occupied(dataDir: string): AkashiError {
  return new AkashiError('conflict', `${dataDir} already has a database`, {
    hint: 'restore into a new folder; nothing was changed',
  })
}

/** PostgreSQL requires that it owns its files. */
async function handOver(home: Home, folder: string): Promise<void> {
  const { account } = home
  if (account === undefined) return
  const names = await readdir(folder, { recursive: true }).catch(() => undefined)
  if (names === undefined) return
  for (const name of names) await lchown(join(folder, name), account.uid, account.gid)
  await lchown(folder, account.uid, account.gid)
}

async function recover(
  home: Home,
  binaries: Binaries,
  { signal, timeoutMs, settings = {} }: RecoverOptions,
): Promise<RecoveredServer> {
  const socketDir = await socketFolder(home)
  const hbaFile = join(home.dir, 'pg_hba.recovery.conf')
  await writeFile(hbaFile, RECOVERY_HBA, { mode: 0o644 })
  await replaceFile(home.configFile, configText({}, binaries.version), { mode: 0o644 })
  const port = await choosePort(0)
  const args = [
    ...serverArguments({ ...home, hbaFile }, port, socketDir),
    ...Object.entries({ ...NEUTRAL, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  try {
    const server = await launch(home, binaries.postgres, args, signal, timeoutMs)
    return {
      url: (database, login = SUPERUSER) =>
        `postgresql://${login}@localhost:${port}/${encodeURIComponent(database)}?host=${encodeURIComponent(socketDir)}`,
      stop: async () => {
        await shutDown(server)
        await rm(hbaFile, { force: true })
        await dropSocketFolder(home, socketDir)
      },
    }
  } catch (error) {
    await rm(hbaFile, { force: true })
    await dropSocketFolder(home, socketDir)
    throw error
  }
}
