import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../../src/postgres/index.ts'
import type { ThrowawayServer } from './embedded-server.ts'

/** Where Debian's package puts the oldest major version that is supported. */
export const POSTGRES_15 = '/usr/lib/postgresql/15/bin'

const SUPERUSER = 'postgres'
const PASSWORD = 'test-superuser'
const START_ATTEMPTS = 100
const START_PAUSE_MS = 100

/** The server refuses to run as root; Debian's package brings this account. */
const ACCOUNT = 'postgres'

export interface LocalServer extends ThrowawayServer {
  /** The folder of the cluster. */
  readonly data: string
}

/**
 * A server of this machine's own binaries, in a folder that goes away with it.
 *
 * @param binaries folder with initdb and postgres
 * @param own settings beside those of all
 */
export async function startLocalServer(binaries: string, own: readonly string[] = []): Promise<LocalServer> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-postgres-'))
  const account = process.getuid?.() === 0 ? accountIds() : undefined
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, PASSWORD)
  await chmod(folder, 0o711)
  if (account !== undefined) {
    await chown(folder, account.uid, account.gid)
    await chown(passwordFile, account.uid, account.gid)
  }
  const data = join(folder, 'data')
  const init = spawnSync(
    join(binaries, 'initdb'),
    [
      '-D',
      data,
      '-U',
      SUPERUSER,
      '-A',
      'scram-sha-256',
      '--pwfile',
      passwordFile,
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '-N',
    ],
    { ...account, cwd: folder, encoding: 'utf8' },
  )
  if (init.status !== 0) {
    throw new Error(`initdb failed: ${init.stderr}`)
  }
  const port = await freePort()
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'max_connections=200',
    'timezone=UTC',
    'wal_level=logical',
    'max_prepared_transactions=10',
    ...own,
  ]
  const server = spawn(
    join(binaries, 'postgres'),
    ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    { ...account, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-10_000)
  })
  const exited = once(server, 'exit')
  const url = (database: string) => `postgresql://${SUPERUSER}:${PASSWORD}@127.0.0.1:${port}/${database}`
  const stop = async () => {
    if (server.exitCode === null) {
      server.kill('SIGINT')
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  }
  for (let attempt = 0; !(await answers(url('postgres'))); attempt += 1) {
    if (attempt === START_ATTEMPTS || server.exitCode !== null) {
      await stop()
      throw new Error(`PostgreSQL did not start: ${log}`)
    }
    await sleep(START_PAUSE_MS)
  }
  return { url, stop, data }
}

async function answers(url: string): Promise<boolean> {
  const database = openDatabase({ url, role: 'owner', applicationName: 'akashi test' })
  try {
    await database.direct((session) => session.query('select 1'))
    return true
  } catch {
    return false
  } finally {
    await database.close()
  }
}

/** A TCP port on loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') {
    throw new Error('no port is free')
  }
  return address.port
}

export function accountIds(): { uid: number; gid: number } {
  const id = (option: string) => Number(spawnSync('id', [option, ACCOUNT], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}
