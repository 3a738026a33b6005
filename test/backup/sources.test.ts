/** Servers that backups are taken from: a standby, one that took over, one behind TLS, one with tablespaces. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { identify, openBackupStore, readCatalog, runBackup, verifyBackups } from '../../src/backup/index.ts'
import { openBackup, writeFiles } from '../../src/backup/restore/write-files.ts'
import { streamWal } from '../../src/backup/wal/stream.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { ask, dropSpareDatabases } from '../support/embedded.ts'
import { POSTGRES_15 } from '../support/index.ts'
import { accountIds, freePort } from '../support/local-server.ts'
import { restoreTo, startCluster } from './support/cluster.ts'

const PASSWORD = 'scram-password'
const account = process.getuid?.() === 0 ? accountIds() : undefined
const POLL = { timeout: 60_000, interval: 100 }

interface Server {
  readonly url: string
  readonly data: string
  readonly process: ChildProcess
  kill(signal: NodeJS.Signals): Promise<void>
}

async function own(path: string): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid)
}

function run(program: string, args: readonly string[], cwd: string): void {
  const done = spawnSync(join(POSTGRES_15, program), args, { ...account, cwd, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${program}: ${done.stderr}`)
}

async function start(data: string, settings: readonly string[] = []): Promise<Server> {
  const port = await freePort()
  const all = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${data}`, ...settings]
  const child = spawn(join(POSTGRES_15, 'postgres'), ['-D', data, ...all.flatMap((one) => ['-c', one])], {
    ...account,
    cwd: data,
    stdio: 'ignore',
  })
  const exited = once(child, 'exit')
  const url = `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`
  await expect
    .poll(
      () =>
        ask(`${url}${settings.includes('ssl=on') ? '?sslmode=no-verify' : ''}`, 'select 1').then(
          Boolean,
          () => false,
        ),
      POLL,
    )
    .toBe(true)
  return {
    url,
    data,
    process: child,
    kill: async (signal) => {
      child.kill(signal)
      await exited
    },
  }
}

/** What initdb makes, once; each test copies it. */
let made = ''

async function makeCluster(): Promise<string> {
  if (made !== '') return made
  const folder = await openFolder()
  const password = join(folder, 'password')
  await writeFile(password, PASSWORD)
  await own(password)
  const access = ['-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', password]
  run('initdb', ['-D', join(folder, 'primary'), ...access, '-N', '-k'], folder)
  made = folder
  return folder
}

async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-sources-'))
  await chmod(folder, 0o711)
  await own(folder)
  return folder
}

afterAll(async () => {
  if (made !== '') await rm(made, { recursive: true, force: true })
})

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const source = await makeCluster()
  const folder = await openFolder()
  try {
    const copied = spawnSync('cp', ['-a', join(source, 'primary'), folder], { encoding: 'utf8' })
    expect(copied.status, copied.stderr).toBe(0)
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function backupStoreIn(folder: string, url: string) {
  const keyring = await openKeyring(`file:${join(folder, 'keys')}`)
  const store = await openObjectStore(`file:${join(folder, 'objects')}`)
  const { systemId } = await identify(url)
  return { keyring, store, backupStore: await openBackupStore({ store, keyring }, systemId) }
}

it.runIf(existsSync(POSTGRES_15)).each([
  { when: 'at once', late: false },
  { when: 'when WAL of the takeover is gone', late: true },
])(
  'a standby gives backups, and when it takes over the stream follows $when with no hole that is not told',
  ({ late }) =>
    inFolder(async (folder) => {
      const primary = await start(join(folder, 'primary'), ['wal_level=replica', 'fsync=off'])
      await dropSpareDatabases(primary.url)
      await ask(primary.url, 'create table t (id integer primary key)')
      const copy = join(folder, 'standby')
      run('pg_basebackup', ['-D', copy, '-R', '-N', '-X', 'stream', '-c', 'fast', '-d', primary.url], folder)
      const standby = await start(copy, ['hot_standby=on', 'fsync=off'])
      const { keyring, backupStore } = await backupStoreIn(folder, primary.url)
      const open = [primary, standby].map(({ url }) => openDatabase({ url, role: 'owner', poolSize: 1 }))
      const [first, second] = open
      if (first === undefined || second === undefined) throw new Error('both were opened')
      try {
        const told: string[] = []
        let flushed = 0n
        const stream = (source: { url: string; database: typeof first }) => {
          const stopping = new AbortController()
          const ended = streamWal(backupStore, source, {
            signal: stopping.signal,
            heartbeatMs: 300,
            onEvent: (event) => {
              told.push(event.kind)
              if (event.kind === 'flushed') flushed = event.lsn
            },
          })
          ended.catch(() => undefined)
          return {
            ended,
            stop: async () => {
              stopping.abort()
              await ended
            },
          }
        }
        const before = stream({ url: primary.url, database: first })
        await ask(primary.url, 'insert into t select i from generate_series(1, 1000) i')
        await expect
          .poll(() => ask(standby.url, 'select count(*)::int as n from t'), POLL)
          .toEqual([{ n: 1_000 }])
        // From the standby: it is in recovery, and the backup is complete all the same.
        const manifest = await runBackup(backupStore, { url: standby.url, database: second }, 'full')
        expect(await ask(standby.url, 'select pg_is_in_recovery() as standby')).toEqual([{ standby: true }])
        const written = join(folder, 'written')
        await mkdir(written)
        await writeFiles(backupStore, [await openBackup(backupStore, manifest)], written)
        const checked = spawnSync(join(POSTGRES_15, 'pg_verifybackup'), [written], { encoding: 'utf8' })
        expect(checked.stderr + checked.stdout).toContain('successfully verified')

        const [end] = await ask<{ lsn: string }>(
          primary.url,
          `insert into t values (1001) returning (pg_current_wal_insert_lsn() - '0/0')::text as lsn`,
        )
        await expect.poll(() => flushed > BigInt(end?.lsn ?? '0'), POLL).toBe(true)
        await expect
          .poll(() => ask(standby.url, 'select count(*)::int as n from t'), POLL)
          .toEqual([{ n: 1_001 }])
        await primary.kill('SIGKILL')
        await expect(before.ended).rejects.toThrow()
        await ask(standby.url, 'select pg_promote()')
        await ask(standby.url, 'insert into t values (1002)')
        for (let segment = 0; late && segment < 4; segment += 1) {
          await ask(standby.url, 'insert into t values ($1 + 2000)'.replace('$1', String(segment)))
          await ask(standby.url, 'select pg_switch_wal()')
          await ask(standby.url, 'checkpoint')
        }
        const after = stream({ url: standby.url, database: second })
        // Before the checkpoint of the backup, behind which a slot would begin that is made too late.
        await expect.poll(() => told.filter((kind) => kind === 'started').length, POLL).toBe(2)
        await runBackup(backupStore, { url: standby.url, database: second }, 'full')
        const [more] = await ask<{ lsn: string }>(
          standby.url,
          `insert into t values (1003) returning (pg_current_wal_insert_lsn() - '0/0')::text as lsn`,
        )
        await expect.poll(() => flushed > BigInt(more?.lsn ?? '0'), POLL).toBe(true)
        await after.stop()
        const catalog = await readCatalog(backupStore)
        expect(catalog.backups.map(({ timeline }) => timeline)).toEqual([1, 2])
        expect(catalog.histories.get(2)?.map(({ timeline }) => timeline)).toEqual([1])
        const report = await verifyBackups(backupStore)
        expect(report.problems).toEqual([])
        expect(report.gaps.every(({ declared }) => declared)).toBe(true)
        expect(report.ok).toBe(true)
        expect(told.includes('gap')).toBe(late)
        expect(report.gaps.length > 0).toBe(late)
      } finally {
        for (const database of open) await database.close()
        await keyring.close()
        for (const server of [primary, standby])
          if (server.process.exitCode === null) await server.kill('SIGINT')
      }
    }),
  240_000,
)

it.runIf(existsSync(POSTGRES_15))(
  'a server that takes only TLS and SCRAM is backed up and streamed',
  () =>
    inFolder(async (folder) => {
      const data = join(folder, 'primary')
      const certified = spawnSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=localhost',
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          join(data, 'server.key'),
          '-out',
          join(data, 'server.crt'),
        ],
        { encoding: 'utf8' },
      )
      expect(certified.status, certified.stderr).toBe(0)
      for (const name of ['server.key', 'server.crt']) await own(join(data, name))
      await chmod(join(data, 'server.key'), 0o600)
      await writeFile(
        join(data, 'pg_hba.conf'),
        'hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl replication all 127.0.0.1/32 scram-sha-256\n',
      )
      const server = await start(data, ['ssl=on', 'wal_level=replica', 'fsync=off'])
      const url = `${server.url}?sslmode=verify-full&sslrootcert=${join(data, 'server.crt')}`
      const database = openDatabase({ url, role: 'owner', poolSize: 1 })
      try {
        await expect(identify(`${server.url}?sslmode=disable`)).rejects.toMatchObject({
          code: 'invalid_config',
        })
        await expect(identify(`${server.url}?sslmode=verify-full`)).rejects.toThrow()
        const { keyring, backupStore } = await backupStoreIn(folder, url)
        const taken = await runBackup(backupStore, { url, database }, 'full')
        expect(taken.files).toBeGreaterThan(500)
        const stopping = new AbortController()
        const streaming = streamWal(
          backupStore,
          { url, database },
          {
            signal: stopping.signal,
            heartbeatMs: 300,
            onEvent: ({ kind }) => (kind === 'flushed' ? stopping.abort() : undefined),
          },
        )
        await streaming
        expect(await ask(url, 'select ssl from pg_stat_ssl where pid = pg_backend_pid()')).toEqual([
          { ssl: true },
        ])
        expect(await verifyBackups(backupStore)).toMatchObject({ ok: true, backups: 1 })
        await keyring.close()
      } finally {
        await database.close()
        await server.kill('SIGINT')
      }
    }),
  120_000,
)

it('tablespaces come back in folders of the restored cluster, through an incremental too', async () => {
  const cluster = await startCluster()
  const place = await mkdtemp(join(tmpdir(), 'akashi-tablespace-'))
  await own(place)
  const stream = cluster.stream()
  try {
    await cluster.sql(`create tablespace elsewhere location '${place}'`)
    await cluster.sql('create table far (id integer primary key, note text) tablespace elsewhere')
    await cluster.sql(`insert into far select i, repeat('a', 100) from generate_series(1, 5000) i`)
    const full = await runBackup(cluster.backupStore, cluster.source, 'full')
    expect(full.tablespaces).toMatchObject([{ location: place }])
    await cluster.sql(`update far set note = 'changed' where id <= 10`)
    await runBackup(cluster.backupStore, cluster.source, 'incremental')
    await cluster.sql('delete from far where id > 4000')
    await stream.flushed()
    const restored = await restoreTo(cluster.backupStore, 'latest')
    try {
      expect(restored.chain).toHaveLength(2)
      expect(
        await restored.sql(
          `select count(*)::int as rows, count(*) filter (where note = 'changed')::int as changed from far`,
        ),
      ).toEqual([{ rows: 4_000, changed: 10 }])
      const [space] = await restored.sql<{ location: string }>(
        `select pg_tablespace_location(oid) as location from pg_tablespace where spcname = 'elsewhere'`,
      )
      expect(space?.location).not.toBe(place)
      expect((await readdir(space?.location ?? '')).length).toBeGreaterThan(0)
      await restored.sql(`insert into far values (9999, 'after')`)
    } finally {
      await restored.stop()
    }
  } finally {
    await stream.stop()
    await cluster.stop()
    await rm(place, { recursive: true, force: true })
  }
}, 120_000)
