/** CPU time of this process and of a PostgreSQL server, independent of other load on the machine. */
import { readdir, readFile } from 'node:fs/promises'
import type { Session } from '../src/postgres/index.ts'

/** Milliseconds per tick in /proc: 100 ticks per second on every Linux that Node.js supports. */
const MS_A_TICK = 10

interface Ticks {
  readonly parent: number
  /** Of the process itself, and of its exited children. */
  readonly own: number
  readonly ended: number
}

/** Reads the fields of proc(5) after the program name, which may contain anything. */
async function ticksOf(pid: number | string): Promise<Ticks> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system, endedUser, endedSystem] = rest.slice(9, 13).map(Number)
  return {
    parent: Number(parent),
    own: (user ?? 0) + (system ?? 0),
    ended: (endedUser ?? 0) + (endedSystem ?? 0),
  }
}

/** CPU milliseconds of this process and of all processes of the server of `session`, including exited ones. */
export async function cpuMilliseconds(session: Session): Promise<number> {
  const { user, system } = process.cpuUsage()
  return (await serverCpuMilliseconds(session)) + (user + system) / 1000
}

/** CPU milliseconds of this process' children that have ended, with theirs. */
export async function childrenCpuMilliseconds(): Promise<number> {
  return (await ticksOf('self')).ended * MS_A_TICK
}

/** CPU milliseconds of all processes of the server of `session`, including exited ones. */
export async function serverCpuMilliseconds(session: Session): Promise<number> {
  const { rows } = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
  const { parent: postmaster } = await ticksOf(rows[0]?.pid ?? 0)
  const { own, ended } = await ticksOf(postmaster)
  let ticks = own + ended
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const each = await ticksOf(pid)
    if (each.parent === postmaster) ticks += each.own
  }
  return ticks * MS_A_TICK
}
