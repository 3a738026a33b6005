import { mkdir, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { findBinaries } from './binaries.ts'
import { ensureCluster, SUPERUSER } from './cluster.ts'
import { openHome, socketFolder } from './home.ts'
import { tryLock } from './lock.ts'
import { choosePort, LOOPBACK } from './port.ts'
import { writeRecord } from './record.ts'
import { launch, shutDown } from './server-process.ts'
import { configText, HBA_TEXT, serverArguments } from './settings.ts'
import type { EmbeddedOptions, EmbeddedServer } from './types.ts'

/**
 * Starts PostgreSQL for the data folder, making the cluster at the first start.
 * @throws conflict: already running here, port taken, another major version's cluster;
 * unavailable: the server says why in the hint; cancelled, timeout
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  options.signal?.throwIfAborted()
  await mkdir(options.dataDir, { recursive: true, mode: 0o711 })
  const dataDir = await realpath(options.dataDir)
  const lock = tryLock(join(dataDir, 'postgres.lock'))
  if (lock === undefined) {
    throw new AkashiError('conflict', `an embedded postgresql is already running in ${dataDir}`, {
      hint: 'use akashi status to see where, or choose another data folder',
    })
  }
  try {
    return await startLocked({ ...options, dataDir }, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function startLocked(options: EmbeddedOptions, lock: { release(): void }): Promise<EmbeddedServer> {
  const settings = options.settings ?? {}
  const home = await openHome(options.dataDir)
  const binaries = await findBinaries(home.account)
  const port = await choosePort(options.port)
  const password = await ensureCluster(home, binaries, { sync: settings['fsync'] !== 'off', signal: options.signal })
  const socketDir = await socketFolder(home)
  await writeFile(home.configFile, configText(settings), { mode: 0o644 })
  await writeFile(home.hbaFile, HBA_TEXT, { mode: 0o644 })
  const server = await launch(home, binaries.postgres, serverArguments(home, port, socketDir), options.signal)
  await writeRecord(home, { port, socketDir, pid: server.pid, version: binaries.version })

  const dieWithUs = (): void => server.kill('SIGINT')
  process.once('exit', dieWithUs)
  const exited = server.exited.then(async (exit) => {
    process.off('exit', dieWithUs)
    if (socketDir !== home.runDir) await rm(socketDir, { recursive: true, force: true }).catch(() => undefined)
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
    url: (database) => `postgresql://${SUPERUSER}:${password}@${LOOPBACK}:${port}/${encodeURIComponent(database)}`,
    stop: async () => {
      stopping ??= shutDown(server).then(async () => void (await exited))
      await stopping
    },
  }
}
