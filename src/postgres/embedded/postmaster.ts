import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isMissing } from './files.ts'
import { runProgram } from './program.ts'

/** The lines of `postmaster.pid` (PostgreSQL's src/include/utils/pidfile.h). */
export interface PidFile {
  readonly pid: number
  readonly port: number | undefined
  readonly socketDir: string | undefined
  /** `starting`, `ready`, `standby`, `stopping`; empty before the first is written */
  readonly status: string
}

export const PID_FILE = 'postmaster.pid'

export async function readPidFile(clusterDir: string): Promise<PidFile | undefined> {
  let text: string
  try {
    text = await readFile(join(clusterDir, PID_FILE), 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const lines = text.split('\n').map((line) => line.trim())
  // A standalone backend writes its process id negated.
  const pid = Math.abs(Number(lines[0]))
  if (!Number.isInteger(pid) || pid === 0) return undefined
  const port = Number(lines[3])
  return {
    pid,
    port: Number.isInteger(port) && port > 0 ? port : undefined,
    socketDir: lines[4] === '' ? undefined : lines[4],
    status: lines[7] ?? '',
  }
}

/**
 * Whether `pid` is a PostgreSQL process of this cluster. A process id alone proves nothing: after a crash or in
 * a new container it may belong to any process. The working directory of every PostgreSQL process is its
 * cluster's folder, and the kernel reports that reliably.
 */
export async function isServerOf(pid: number, clusterDir: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    const { output } = await runProgram('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
      account: undefined,
      cwd: '/',
    })
    return output.includes('postgres') && output.includes(clusterDir)
  }
  try {
    const [cwd, executable] = await Promise.all([readlink(`/proc/${pid}/cwd`), readlink(`/proc/${pid}/exe`)])
    // The kernel appends this when the program file was replaced meanwhile.
    return cwd === clusterDir && basename(executable.replace(/ \(deleted\)$/, '')) === 'postgres'
  } catch {
    return false
  }
}

/** Every running process of the cluster; backends outlive a killed postmaster for a moment. Linux only. */
export async function serversOf(clusterDir: string): Promise<number[]> {
  if (process.platform !== 'linux') return []
  const real = await realpath(clusterDir)
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const ours = await Promise.all(pids.map((pid) => isServerOf(pid, real)))
  return pids.filter((_, index) => ours[index] === true)
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
