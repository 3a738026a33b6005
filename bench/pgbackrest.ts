/** pgBackRest beside Akashi: a server of Debian's PostgreSQL 15, which both can back up, and a repository of its own. */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openDatabase, type Session } from '../src/postgres/index.ts'

const run = promisify(execFile)
const BINARIES = '/usr/lib/postgresql/15/bin'
const PASSPHRASE = 'bench'

export interface PgBackRest {
  /** Of a superuser. */
  readonly url: string
  /** Folder of the server's data. */
  readonly data: string
  asAdministrator<T>(work: (session: Session) => Promise<T>): Promise<T>
  backup(kind: 'full' | 'incr'): Promise<void>
  /** Bytes in the repository of the newest backup alone. */
  stored(): Promise<number>
  /** Into an empty folder, with the WAL that was archived until now. */
  restore(to: string): Promise<void>
  /** Starts a server on a restored folder, waits until it serves, and stops it again. @returns seconds until it served */
  serve(data: string): Promise<number>
  close(): Promise<void>
}

/** As the account that owns the server's files. */
async function asPostgres(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run('runuser', ['-u', 'postgres', '--', program, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

export async function openPgBackRest(): Promise<PgBackRest> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-pgbackrest-'))
  await chmod(folder, 0o777)
  const data = join(folder, 'data')
  const port = await freePort()
  const config = join(folder, 'pgbackrest.conf')
  await asPostgres(`${BINARIES}/initdb`, ['-D', data, '-A', 'trust', '-U', 'postgres', '--data-checksums'])
  await asPostgres('sh', [
    '-c',
    `cat >> '${data}/postgresql.conf' <<'END'
port = ${port}
unix_socket_directories = '${folder}'
archive_mode = on
archive_command = 'pgbackrest --config=${config} --stanza=bench archive-push %p'
max_wal_senders = 10
END
echo 'host replication all 127.0.0.1/32 trust' >> '${data}/pg_hba.conf'`,
  ])
  await writeFile(
    config,
    `[global]
repo1-path=${folder}/repo
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=${PASSPHRASE}
repo1-retention-full=100
compress-type=zst
compress-level=3
process-max=2
start-fast=y
log-path=${folder}
lock-path=${folder}
spool-path=${folder}
log-level-console=error
[bench]
pg1-path=${data}
pg1-port=${port}
pg1-socket-path=${folder}
`,
    { mode: 0o644 },
  )
  const server = (action: string, where: string, ...more: string[]) =>
    asPostgres(`${BINARIES}/pg_ctl`, [
      '-D',
      where,
      '-w',
      '-t',
      '600',
      '-l',
      join(folder, 'log'),
      ...more,
      action,
    ])
  await server('start', data)
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`
  const database = openDatabase({ url, role: 'owner', poolSize: 1 })
  const tool = (...args: string[]) =>
    asPostgres('pgbackrest', [`--config=${config}`, '--stanza=bench', ...args])
  await tool('stanza-create')
  return {
    url,
    data,
    asAdministrator: (work) => database.direct(work, { timeoutMs: 0 }),
    backup: async (kind) => {
      await tool(`--type=${kind}`, 'backup')
    },
    stored: async () => {
      const [{ backup = [] } = {}] = JSON.parse(await tool('--output=json', 'info')) as {
        backup?: { info: { repository: { delta: number } } }[]
      }[]
      return backup.at(-1)?.info.repository.delta ?? Number.NaN
    },
    restore: async (to) => {
      await asPostgres('mkdir', ['-m', '700', '-p', to])
      await tool(`--pg1-path=${to}`, '--archive-mode=off', 'restore')
    },
    serve: async (where) => {
      const begun = performance.now()
      await server('start', where, '-o', `-p ${await freePort()} -c archive_mode=off`)
      const seconds = (performance.now() - begun) / 1000
      await server('stop', where, '-m', 'fast')
      return seconds
    },
    close: async () => {
      await database.close()
      await server('stop', data, '-m', 'fast')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
