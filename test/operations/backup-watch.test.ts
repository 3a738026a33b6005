/** What is told, and done, when backups, WAL or the disk fall behind. */
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { checkStructure, readCatalog, readLatest, readSlot, runBackup } from '../../src/backup/index.ts'
import type { ObjectStore } from '../../src/object-store/index.ts'
import { diskOf, systemStatus, watchBackups, watchKeptWal } from '../../src/operations/index.ts'
import { startCluster, type TestCluster } from '../backup/support/cluster.ts'
import { testDatabase, tester } from '../support/index.ts'
import { keepingLog } from './keeping-log.ts'

const MINUTES_MS = 240_000
const HOUR_MS = 3_600_000

const database = testDatabase()
const worker = database.open('worker')
let cluster: TestCluster
let away: Promise<never> | undefined
let gets: string[] = []
let lists: string[] = []

/** The store of the cluster: it counts what is read of it, and does not answer puts of WAL while it is away. */
function wrapped(store: ObjectStore): ObjectStore {
  return {
    location: store.location,
    put: async (key, body, options) => {
      if (key.includes('/wal/')) await away
      return await store.put(key, body, options)
    },
    get: (key, options) => {
      gets.push(key)
      return store.get(key, options)
    },
    head: (key) => store.head(key),
    list: (prefix, options) => {
      lists.push(prefix)
      return store.list(prefix, options)
    },
    listFolders: (folder, options) => store.listFolders(folder, options),
    delete: (key) => store.delete(key),
  }
}

beforeAll(async () => {
  const settings = { max_wal_size: '32MB', min_wal_size: '32MB', wal_keep_size: '0' }
  cluster = await startCluster({ wrap: wrapped, settings })
}, MINUTES_MS)
afterAll(() => cluster.stop(), MINUTES_MS)
beforeEach(() => {
  gets = []
  lists = []
})

const setTo = (key: string, value: string) =>
  database.asSuperuser((session) =>
    session.query('update akashi_lifecycle.settings set value = $2::jsonb where key = $1', [key, value]),
  )

async function eventsOf(type: string): Promise<number> {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ count: number }>(
      'select count(*)::integer as count from akashi_security.security_events where event_type = $1',
      [type],
    ),
  )
  return rows[0]?.count ?? 0
}

const addRun = (job: string, result: object, ago: string) =>
  database.asSuperuser((session) =>
    session.query(
      `insert into akashi_lifecycle.job_runs (job, due_at, started_at, finished_at, state, worker, result)
       values ($1, now() - $3::interval, now() - $3::interval, now() - $3::interval, 'done', 'test', $2)`,
      [job, JSON.stringify(result), ago],
    ),
  )

test(
  'WAL that waits for a store that is away is given up above the limit, with an alarm, a gap and a way on',
  async () => {
    const { sql, source } = cluster
    const parts = { worker, source, data: undefined, log: keepingLog() }
    const stream = cluster.stream()
    await stream.flushed()
    expect(await watchKeptWal(parts, tester)).toBeUndefined()
    await setTo('backup.wal_limit_mb', '2')
    const { promise, reject } = Promise.withResolvers<never>()
    away = promise
    away.catch(() => undefined)
    await sql(`select pg_logical_emit_message(true, 'load', repeat('x', 4000000)) is null`)
    const reason = await watchKeptWal(parts, tester)
    expect(reason).toContain('more than backup.wal_limit_mb')
    // Also the stream that holds on to it.
    expect(await readSlot(source.database)).toBeNull()
    expect(await eventsOf('wal_given_up')).toBe(1)
    expect(await watchKeptWal(parts, tester)).toBeUndefined()
    // Nothing keeps it now.
    for (let segment = 0; segment < 4; segment += 1) {
      await sql(`select pg_logical_emit_message(true, 'load', repeat('x', 1000000)) is null`)
      await sql('select pg_switch_wal()')
      await sql('checkpoint')
    }
    away = undefined
    reject(new Error('the store is back, and that put is lost'))
    await expect(stream.ended).rejects.toThrow()
    const again = cluster.stream()
    await again.flushed()
    expect(again.events.map(({ kind }) => kind)).toContain('gap')
    await again.stop()
  },
  MINUTES_MS,
)

test(
  'the newest backup and the latest moment are read from the store, and nothing more',
  async () => {
    const { backupStore, source } = cluster
    expect(await watchBackups(backupStore)).toEqual({})
    const { id } = await runBackup(backupStore, source, 'full')
    // One that was never completed hides no other.
    await cluster.store.put(
      `backups/${backupStore.systemId}/base/99991231T000000Z-full-0000/pack-000001`,
      Buffer.from('x'),
    )
    const stream = cluster.stream()
    await stream.flushed()
    await stream.stop()
    gets = []
    const found = await watchBackups(backupStore)
    expect(found.backup).toBe(id)
    expect(Date.now() - Date.parse(found.restorableTo ?? '')).toBeLessThan(HOUR_MS / 2)
    expect(Date.parse(found.restorableTo ?? '')).toBeGreaterThan(Date.parse(found.backupAt ?? ''))
    // Neither packs nor WAL are read, nor are packs listed; the same of the whole catalog.
    expect(gets.every((key) => key.endsWith('/manifest.json'))).toBe(true)
    const { incomplete } = await readCatalog(backupStore)
    expect(incomplete).toEqual(['99991231T000000Z-full-0000'])
    expect(lists.filter((prefix) => prefix.includes('/base/'))).toEqual([])
    expect((await readLatest(backupStore))?.backup.id).toBe(id)
  },
  MINUTES_MS,
)

test('a disk that cannot be asked is none', async () => {
  expect(await diskOf('/nowhere')).toBeNull()
  expect(await diskOf(undefined)).toBeNull()
})

test('the status tells of them what the jobs found', async () => {
  expect((await systemStatus(worker, tester)).backups).toMatchObject({ ageSeconds: null, lagSeconds: null })
  await addRun('backup-full', { skipped: 'not here' }, '1 minute')
  await addRun('backup-full', { id: 'a' }, '3 hours')
  const hourAgo = new Date(Date.now() - HOUR_MS).toISOString()
  await addRun('backup-watch', { backup: 'b', backupAt: hourAgo, restorableTo: hourAgo }, '10 minutes')
  const { backups, disk } = await systemStatus(worker, tester, { data: tmpdir() })
  expect(backups.ageSeconds).toBeGreaterThanOrEqual(3600)
  expect(backups.ageSeconds).toBeLessThan(3 * 3600)
  expect(backups.lagSeconds).toBeGreaterThanOrEqual(3600)
  // The clock was ahead when it was recorded.
  const tomorrow = new Date(Date.now() + 24 * HOUR_MS).toISOString()
  await addRun('backup-watch', { backup: 'c', backupAt: tomorrow, restorableTo: tomorrow }, '1 minute')
  expect((await systemStatus(worker, tester)).backups).toMatchObject({ ageSeconds: 0, lagSeconds: 0 })
  expect(disk?.totalBytes).toBeGreaterThan(disk?.freeBytes ?? 0)
})

test(
  'rows that refer to none are found, whatever the columns are called',
  async () => {
    const { sql, source } = cluster
    await sql('create table public."親 ""表" ("鍵 1" int, b text, primary key ("鍵 1", b))')
    await sql(
      'create table public.child ("Ref" int, b text, foreign key ("Ref", b) references public."親 ""表" ("鍵 1", b))',
    )
    await sql(`insert into public."親 ""表" values (1, 'a'), (2, 'b')`)
    await sql(`insert into public.child values (1, 'a'), (2, 'b'), (null, 'c')`)
    const whole = await checkStructure(source.database)
    expect(whole.problems).toEqual([])
    expect(whole.foreignKeys).toBeGreaterThan(0)
    await sql(
      `do $$ begin set local session_replication_role = replica; delete from public."親 ""表" where b = 'b'; end $$`,
    )
    expect((await checkStructure(source.database)).problems).toEqual([
      expect.stringMatching(/^public\.child .*: 1 row without a referenced row in public\."親 ""表"$/),
    ])
  },
  MINUTES_MS,
)
