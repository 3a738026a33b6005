import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import { ensureCluster, SUPERUSER } from './cluster.ts'
import { errno, replaceFile } from './files.ts'
import { dropSocketFolder, openHome, socketFolder } from './home.ts'
import type { Home } from './home-paths.ts'
import { LOCK_FILE, tryLock } from './lock.ts'
import { choosePort, LOOPBACK, portTaken } from './port.ts'
import { throwIfCancelled } from './program.ts'
import { readRecord, writeRecord } from './record.ts'
import { clearLeftovers } from './recover.ts'
import { keepLogBounded } from './server-log.ts'
import { launch, type ServerProcess, shutDown } from './server-process.ts'
import { configText, HBA_TEXT, serverArguments } from './settings.ts'
import { clusterStatus } from './status.ts'
import type { EmbeddedOptions, EmbeddedServer } from './types.ts'

/**
 * Starts PostgreSQL for the data folder, creating the cluster at the first start.
 * @throws conflict: already running here, port in use, cluster of another major version;
 * unavailable: the hint has the message of PostgreSQL or the system; forbidden: another account's folder;
 * unsupported: no PostgreSQL for this machine; cancelled; timeout
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  throwIfCancelled(options.signal)
  if (process.platform === 'win32') {
    throw new AkashiError('unsupported', 'the embedded postgresql needs a unix system', {
      hint: 'set DATABASE_URL to a postgresql server, or run akashi under WSL',
    })
  }
  let lock: { release(): void } | undefined
  try {
    const dataDir = await openDataDir(options.dataDir)
    lock = tryLock(join(dataDir, LOCK_FILE))
    if (lock === undefined) throw await alreadyRunning(dataDir)
    return await startLocked({ ...options, dataDir }, lock)
  } catch (error) {
    lock?.release()
    throw translate(error, options.dataDir)
  }
}

/** A data folder that root creates can be entered by the server's account; its contents have their own modes. */
async function openDataDir(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
  return await realpath(dataDir)
}

/** @param options dataDir is a real path */
async function startLocked(options: EmbeddedOptions, lock: { release(): void }): Promise<EmbeddedServer> {
  const settings = options.settings ?? {}
  const home = await openHome(options.dataDir)
  const binaries = options.binaries ?? (await findBinaries(home))
  const last = await readRecord(home)
  await clearLeftovers(home)
  if (last !== undefined) await dropSocketFolder(home, last.socketDir)
  // Before initdb, so that a port in use is reported at once.
  await choosePort(options.port)
  const password = await ensureCluster(home, binaries, {
    sync: settings['fsync'] !== 'off',
    signal: options.signal,
  })
  const socketDir = await socketFolder(home)
  await replaceFile(home.configFile, configText(settings, binaries.version), { mode: 0o644 })
  await replaceFile(home.hbaFile, HBA_TEXT, { mode: 0o644 })
  const { server, port } = await launchOnPort(home, binaries, socketDir, options)
  await writeRecord(home, { port, socketDir, pid: server.pid, version: binaries.version })

  const log = keepLogBounded(home.logDir)
  const exited = server.exited.then(async (exit) => {
    log.stop()
    await dropSocketFolder(home, socketDir).catch(() => undefined)
    lock.release()
    return exit
  })
  let stopping: Promise<void> | undefined
  return {
    port,
    socketDir,
    version: binaries.version,
    superuser: { user: SUPERUSER, password },
    pid: server.pid,
    exited,
    url: (database) =>
      `postgresql://${SUPERUSER}:${password}@${LOOPBACK}:${port}/${encodeURIComponent(database)}`,
    detach: () => {
      log.stop()
      server.detach()
      lock.release()
    },
    stop: async () => {
      stopping ??= shutDown(server).then(async () => void (await exited))
      await stopping
    },
  }
}

/** Another program may take a free port before PostgreSQL listens on it. */
const FREE_PORT_ATTEMPTS = 5

async function launchOnPort(
  home: Home,
  binaries: Binaries,
  socketDir: string,
  options: EmbeddedOptions,
): Promise<{ server: ServerProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await choosePort(options.port)
    try {
      const server = await launch(
        home,
        binaries.postgres,
        serverArguments(home, port, socketDir),
        options.signal,
      )
      return { server, port }
    } catch (error) {
      if (!(error instanceof AkashiError) || error.detail['portTaken'] !== true) throw error
      if (options.port !== 0 || attempt === FREE_PORT_ATTEMPTS) throw portTaken(port, error)
    }
  }
}

async function alreadyRunning(dataDir: string): Promise<AkashiError> {
  const status = await clusterStatus(dataDir)
  const where = status.state === 'running' ? `at ${LOOPBACK}:${status.port}` : `(it is ${status.state})`
  return new AkashiError('conflict', `the embedded postgresql of ${dataDir} is already running ${where}`, {
    hint: 'use that server (akashi status), stop it first, or choose another data folder',
    detail: { state: status.state, port: status.port, pid: status.pid },
  })
}

function translate(error: unknown, dataDir: string): unknown {
  const code = errno(error)
  if (error instanceof AkashiError || code === undefined || !(error instanceof Error)) return error
  if (code === 'EACCES' || code === 'EPERM') {
    return new AkashiError('forbidden', `this account cannot use the data folder ${dataDir}`, {
      hint: `run akashi as the account that owns it, or as root (${error.message})`,
      cause: error,
    })
  }
  return new AkashiError('unavailable', `cannot use the data folder ${dataDir}`, {
    hint: error.message,
    cause: error,
  })
}
