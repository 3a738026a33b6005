import { readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errno, isMissing } from './files.ts'
import { isAlive, isServerOf, PID_FILE, readPidFile, serversOf } from './postmaster.ts'

/** Bounds of PostgreSQL's ways to stop: fast (SIGINT), immediate (SIGQUIT: recovery at the next start). */
export const FAST_STOP_MS = 30_000
export const IMMEDIATE_STOP_MS = 10_000
const GONE_RECHECK_MS = 10

/**
 * Clears what an earlier server left behind when it, or the Akashi process that ran it, was killed.
 * Call it only under the data folder's lock: whatever still runs then has no keeper. It is stopped,
 * not taken over, so that every server runs with the settings of its start and is a child process.
 */
export async function clearLeftovers(home: {
  readonly clusterDir: string
  readonly runDir: string
}): Promise<void> {
  const file = await readPidFile(home.clusterDir)
  if (file !== undefined) {
    const clusterDir = await realpath(home.clusterDir)
    if (await isServerOf(file.pid, clusterDir)) {
      await stopOrphan(file.pid, clusterDir)
    } else if (isAlive(file.pid)) {
      // After a reboot or in a new container the number belongs to something else, and PostgreSQL,
      // which asks only whether it lives, would refuse to start for ever.
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

/** Backends outlive a killed postmaster until they next wait, and hold its shared memory until then. */
async function endBackends(clusterDir: string): Promise<void> {
  for (const signal of ['SIGQUIT', 'SIGKILL'] as const) {
    const backends = await serversOf(clusterDir)
    if (backends.length === 0) return
    for (const pid of backends) send(pid, signal)
    await goneWithin(async () => (await serversOf(clusterDir)).length === 0, BACKEND_END_MS)
  }
}

const BACKEND_END_MS = 2_000

/** Socket lock files name a process number that may be somebody else's by now. */
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
