import { readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errno, isMissing } from './files.ts'
import type { Home } from './home-paths.ts'
import { isAlive, isServerOf, PID_FILE, readPidFile, serversOf } from './postmaster.ts'

/** How long to wait for PostgreSQL's shutdown modes: fast (SIGINT), immediate (SIGQUIT: recovery at the next start). */
export const FAST_STOP_MS = 30_000
export const IMMEDIATE_STOP_MS = 10_000
const GONE_RECHECK_MS = 10

/**
 * Cleans up after a server that was killed, or whose Akashi process was. Call it only while holding the data
 * folder's lock: a server that still runs then is an orphan. It is stopped, not adopted, so that every
 * server runs with the current settings and as a child process.
 */
export async function clearLeftovers(home: Home): Promise<void> {
  const file = await readPidFile(home.clusterDir)
  if (file !== undefined) {
    const clusterDir = await realpath(home.clusterDir)
    if (await isServerOf(file.pid, clusterDir)) {
      await stopOrphan(file.pid, clusterDir)
    } else if (isAlive(file.pid)) {
      // After a reboot or in a new container the process id belongs to another program. PostgreSQL checks
      // only that the process exists, and would refuse to start for ever.
      await rm(join(clusterDir, PID_FILE), { force: true })
    }
    await endBackends(clusterDir)
  }
  await clearSockets(home.runDir)
}

async function stopOrphan(pid: number, clusterDir: string): Promise<void> {
  const steps = [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', IMMEDIATE_STOP_MS],
    ['SIGKILL', IMMEDIATE_STOP_MS],
  ] as const
  for (const [signal, wait] of steps) {
    send(pid, signal)
    if (await goneWithin(async () => !(await isServerOf(pid, clusterDir)), wait)) return
  }
}

/** After the postmaster is killed, backends keep its shared memory until they next wait. */
async function endBackends(clusterDir: string): Promise<void> {
  for (const signal of ['SIGQUIT', 'SIGKILL'] as const) {
    const backends = await serversOf(clusterDir)
    if (backends.length === 0) return
    for (const pid of backends) send(pid, signal)
    await goneWithin(async () => (await serversOf(clusterDir)).length === 0, BACKEND_END_MS)
  }
}

const BACKEND_END_MS = 2_000

/** Socket lock files contain a process id that may belong to another program by now. */
async function clearSockets(runDir: string): Promise<void> {
  const names = await readdir(runDir).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  for (const name of names) {
    if (name.startsWith('.s.PGSQL.')) await rm(join(runDir, name), { force: true })
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errno(error) !== 'ESRCH') throw error
  }
}

async function goneWithin(isGone: () => Promise<boolean>, ms: number): Promise<boolean> {
  const deadline = Date.now() + ms
  while (!(await isGone())) {
    if (Date.now() > deadline) return false
    await sleep(GONE_RECHECK_MS)
  }
  return true
}
