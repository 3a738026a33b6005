import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { clusterMajor } from './cluster.ts'
import { errno, isMissing } from './files.ts'
import { findHome } from './home.ts'
import { homePaths } from './home-paths.ts'
import { isServerOf, type PidFile, readPidFile } from './postmaster.ts'
import { readRecord } from './record.ts'
import type { ClusterStatus } from './types.ts'

/**
 * The state of the embedded server of a data folder, read from its files and the process table. Starts and
 * changes nothing.
 * @throws forbidden when the folder belongs to another account
 */
export async function clusterStatus(dataDir: string): Promise<ClusterStatus> {
  try {
    return await readStatus(dataDir)
  } catch (cause) {
    if (errno(cause) === 'EACCES' || errno(cause) === 'EPERM') {
      throw new AkashiError('forbidden', `${dataDir} belongs to another account`, {
        hint: 'run this as the account that started akashi there, or as root',
        cause,
      })
    }
    throw cause
  }
}

async function readStatus(dataDir: string): Promise<ClusterStatus> {
  const home = homePaths((await findHome(dataDir)) ?? join(dataDir, 'postgres'))
  const major = await clusterMajor(home.clusterDir)
  const record = await readRecord(home)
  const file = major === undefined ? undefined : await livePidFile(home.clusterDir)
  return {
    state: major === undefined ? 'absent' : stateOf(file),
    major,
    version: record?.version,
    port: file?.port ?? record?.port,
    socketDir: file?.socketDir ?? record?.socketDir,
    pid: file?.pid,
    clusterDir: home.clusterDir,
    logDir: home.logDir,
    passwordFile: home.passwordFile,
  }
}

/** The pid file, if its process is a server of this cluster; a crash leaves the file behind. */
async function livePidFile(clusterDir: string): Promise<PidFile | undefined> {
  try {
    const file = await readPidFile(clusterDir)
    if (file === undefined) return undefined
    return (await isServerOf(file.pid, await realpath(clusterDir))) ? file : undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function stateOf(file: PidFile | undefined): ClusterStatus['state'] {
  if (file === undefined) return 'stopped'
  if (file.status === 'ready' || file.status === 'standby') return 'running'
  return file.status === 'stopping' ? 'stopping' : 'starting'
}
