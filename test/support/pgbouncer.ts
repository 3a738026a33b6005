import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { accountIds, freePort } from './local-server.ts'

export interface Pooler {
  /** The same login and database, through the pooler. */
  url(directUrl: string): string
  stop(): Promise<void>
}

const START_ATTEMPTS = 100
const START_PAUSE_MS = 50

/** Whether PgBouncer is installed. In CI it must be, so that nothing is skipped there. */
export function hasPgBouncer(): boolean {
  return process.env['CI'] === 'true' || spawnSync('pgbouncer', ['--version']).status === 0
}

/**
 * PgBouncer in transaction mode in front of the server of `directUrl`, with the logins of `urls`.
 *
 * @param poolSize server connections; fewer than clients makes transactions of several clients share one
 */
export async function startPgBouncer(urls: readonly string[], poolSize: number): Promise<Pooler> {
  const first = new URL(urls[0] ?? '')
  const folder = await mkdtemp(join(tmpdir(), 'akashi-pgbouncer-'))
  const port = await freePort()
  const logins = urls
    .map((url) => new URL(url))
    .map(({ username, password }) => `"${username}" "${password}"`)
  await writeFile(join(folder, 'users.txt'), logins.join('\n'))
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    [
      '[databases]',
      `* = host=${first.hostname} port=${first.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${join(folder, 'users.txt')}`,
      'pool_mode = transaction',
      `default_pool_size = ${poolSize}`,
      'max_client_conn = 200',
    ].join('\n'),
  )
  const account = process.getuid?.() === 0 ? accountIds() : undefined
  if (account !== undefined) {
    await chmod(folder, 0o700)
    await chown(folder, account.uid, account.gid)
  }
  const pooler = spawn('pgbouncer', [join(folder, 'pgbouncer.ini')], {
    ...account,
    cwd: folder,
    stdio: 'pipe',
  })
  let log = ''
  for (const output of [pooler.stdout, pooler.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-10_000)
    })
  }
  const exited = once(pooler, 'exit')
  const stop = async () => {
    if (pooler.exitCode === null) {
      pooler.kill('SIGTERM')
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  }
  for (let attempt = 0; !(await listens(port)); attempt += 1) {
    if (attempt === START_ATTEMPTS || pooler.exitCode !== null) {
      await stop()
      throw new Error(`PgBouncer did not start: ${log}`)
    }
    await sleep(START_PAUSE_MS)
  }
  return {
    url: (directUrl) => {
      const url = new URL(directUrl)
      url.hostname = '127.0.0.1'
      url.port = String(port)
      return url.href
    },
    stop,
  }
}

function listens(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1')
  socket.once('connect', () => resolve(true))
  socket.once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
