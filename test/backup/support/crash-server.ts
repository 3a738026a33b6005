/** A server of its own that can be killed in the middle of a WAL record and started again on what it left. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, openDatabase } from '../../../src/postgres/index.ts'
import { accountIds } from '../../support/local-server.ts'

const START_ATTEMPTS = 300
const START_PAUSE_MS = 50
const SEGMENT_NAME = /^[0-9A-F]{24}$/

export interface CrashServer {
  readonly database: Database
  readonly segmentBytes: number
  /** SIGKILL to every process at once, as a power cut does; what the kernel had stays. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Contents of the segments of a timeline, in order from the one with a position. */
  segments(timeline: number, from: bigint): Promise<{ readonly start: bigint; readonly data: Buffer }[]>
  stop(): Promise<void>
}

/** @param binaries folder with initdb and postgres */
export async function makeCrashServer(binaries: string, segmentMiB = 16): Promise<CrashServer> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-crash-'))
  const account = process.getuid?.() === 0 ? accountIds() : undefined
  await chmod(folder, 0o711)
  if (account !== undefined) await chown(folder, account.uid, account.gid)
  const data = join(folder, 'data')
  const as = { ...account, cwd: folder } as const
  const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N']
  const init = spawnSync(join(binaries, 'initdb'), ['-D', data, ...options, `--wal-segsize=${segmentMiB}`], {
    ...as,
    encoding: 'utf8',
  })
  if (init.status !== 0) throw new Error(`initdb failed: ${init.stderr}`)
  const settings = {
    listen_addresses: '',
    unix_socket_directories: folder,
    fsync: 'off',
    autovacuum: 'off',
    // Small, so that a large record is written out long before it is whole.
    wal_buffers: '64kB',
    wal_keep_size: '8GB',
    max_wal_size: '8GB',
    min_wal_size: `${segmentMiB * 2}MB`,
    checkpoint_timeout: '1d',
  }
  let server: ChildProcess | undefined
  const url = `postgresql://postgres@localhost/postgres?host=${encodeURIComponent(folder)}`
  const database = openDatabase({ url, role: 'owner', poolSize: 2 })
  const args = [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const start = async () => {
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
      // What a killed server leaves in shared memory may keep the next one from starting for a moment.
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) {
        server = spawn(join(binaries, 'postgres'), args, { ...as, stdio: 'ignore' })
      }
      const ready = await database
        .direct((session) => session.query('select 1'))
        .then(
          () => true,
          () => false,
        )
      if (ready) return
      await sleep(START_PAUSE_MS)
    }
    throw new Error('the server did not start')
  }
  const end = async (signal: NodeJS.Signals) => {
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(server.pid)], {
      encoding: 'utf8',
    }).stdout
    process.kill(server.pid, signal)
    for (const pid of children.match(/\d+/g) ?? []) if (signal === 'SIGKILL') killIfThere(Number(pid))
    await exited
  }
  await start()
  return {
    database,
    segmentBytes: segmentMiB * 1024 * 1024,
    kill: () => end('SIGKILL'),
    start,
    segments: async (timeline, from) => {
      const bytes = BigInt(segmentMiB) * 1024n * 1024n
      const perFile = 0x1_0000_0000n / bytes
      const names = (await readdir(join(data, 'pg_wal'))).filter((name) => SEGMENT_NAME.test(name)).sort()
      const found: { start: bigint; data: Buffer }[] = []
      for (const name of names) {
        const number = BigInt(`0x${name.slice(8, 16)}`) * perFile + BigInt(`0x${name.slice(16)}`)
        if (Number.parseInt(name.slice(0, 8), 16) !== timeline || (number + 1n) * bytes <= from) continue
        found.push({ start: number * bytes, data: await readFile(join(data, 'pg_wal', name)) })
      }
      return found
    },
    stop: async () => {
      await database.close()
      await end('SIGINT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
