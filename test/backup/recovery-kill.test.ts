/** A drill and a table restore, killed at every step: nothing that they recovered stays readable, and the next one works. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dropAbandonedLogins, runBackup, sweepScratch } from '../../src/backup/index.ts'
import { withOwnerLogin } from '../../src/backup/table/owner-login.ts'
import { startCluster, type TestCluster } from './support/cluster.ts'
import type { ChildOptions } from './support/recovery-child.ts'
import { toldSchema } from './support/told-schema.ts'

const MINUTES_MS = 400_000
const ROWS = 200
const child = fileURLToPath(new URL('support/recovery-child.ts', import.meta.url))

let cluster: TestCluster
let place: string

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'akashi-killed-'))
  await chmod(place, 0o711)
  cluster = await startCluster()
  await cluster.sql(toldSchema)
  await cluster.sql('create table goods (id integer primary key, name text)')
  await cluster.sql(`insert into goods select i, 'good ' || i from generate_series(1, ${ROWS}) i`)
  await runBackup(cluster.backupStore, cluster.source, 'full')
  const stream = cluster.stream()
  await stream.flushed()
  await runBackup(cluster.backupStore, cluster.source, 'incremental')
  await stream.flushed()
  await stream.stop()
}, MINUTES_MS)

afterAll(async () => {
  await cluster?.stop()
  await rm(place, { recursive: true, force: true })
}, MINUTES_MS)

/** @returns the signal that ended the process; null when it ended by itself */
async function runUntil(killAt: ChildOptions['killAt']): Promise<unknown> {
  const options: ChildOptions = {
    store: cluster.store.location,
    keys: cluster.keyring.location,
    systemId: cluster.backupStore.systemId,
    place,
    url: cluster.source.url,
    killAt,
  }
  const started = spawn(process.execPath, [child, JSON.stringify(options)], { stdio: 'inherit' })
  const [status, signal]: unknown[] = await once(started, 'exit')
  if (signal === null) expect(status).toBe(0)
  return signal
}

/** Processes that work below the folder of the scratch servers. */
async function processes(): Promise<string[]> {
  const found: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.includes(`${place}/scratch-`)) found.push(command)
  }
  return found
}

async function expectNothingLeft(): Promise<void> {
  await sweepScratch(place)
  expect(await readdir(place)).toEqual([])
  expect(await processes()).toEqual([])
  await dropAbandonedLogins(cluster.source.database)
  const logins = `select rolname from pg_roles where rolname like 'akashi\\_restore\\_%' and rolcanlogin`
  expect(await cluster.sql(logins)).toEqual([])
}

const PHASES = ['catalog', 'restore', 'structure', 'ledger', 'content', 'comparison', 'store']
/** The phases in which a server runs on readable files, and the last one; all of them with AKASHI_LONG=1. */
const KILLED_IN = process.env['AKASHI_LONG'] === '1' ? PHASES : ['restore', 'ledger', 'store']

test.each(KILLED_IN)(
  'a drill killed at %s leaves nothing that can be read',
  async (phase) => {
    expect(await runUntil(phase)).toBe('SIGKILL')
    await expectNothingLeft()
  },
  MINUTES_MS,
)

test(
  'a table restore killed before any request to the database leaves nothing, and the next one brings every row',
  async () => {
    for (let request = 1; ; request += 1) {
      const signal = await runUntil(request)
      const [found] = await cluster.sql<{ copy: string | null }>(`select to_regclass('goods_back') as copy`)
      if (found?.copy !== null) {
        // Whole once it is there at all.
        expect(await cluster.sql('select count(*)::integer as rows from goods_back')).toEqual([
          { rows: ROWS },
        ])
        await cluster.sql('drop table goods_back')
      }
      if (signal === null) {
        expect(found?.copy).toBe('goods_back')
        expect(request).toBeGreaterThan(5)
        break
      }
      await expectNothingLeft()
    }
    await expectNothingLeft()
  },
  MINUTES_MS * 3,
)

test('the login of a restore that is under way is left alone', async () => {
  const { database, url } = cluster.source
  const login = { admin: database, url, contextKey: undefined, rights: () => 'select', heir: 'akashi_owner' }
  await withOwnerLogin(login, async (own) => {
    await dropAbandonedLogins(database)
    await own.direct((session) => session.query('select'))
  })
  await expectNothingLeft()
})

test('no other login keeps the login of a killed restore alive by its lock', async () => {
  const { database } = cluster.source
  const [{ prefix } = { prefix: '' }] = await cluster.sql<{ prefix: string }>(
    `select 'akashi_restore_' || oid || '_' as prefix from pg_database where datname = current_database()`,
  )
  const role = `${prefix}abad1dea`
  await cluster.sql(`create role ${role} login; create role nosy login password 'nosy'`)
  const url = new URL(cluster.source.url)
  url.username = 'nosy'
  url.password = 'nosy'
  const nosy = new pg.Client({ connectionString: url.href })
  await nosy.connect()
  try {
    await nosy.query(`select pg_advisory_lock(hashtextextended('akashi.restore/${role}', 0))`)
    await dropAbandonedLogins(database)
  } finally {
    await nosy.end()
    await cluster.sql('drop role nosy')
  }
  await expectNothingLeft()
})
