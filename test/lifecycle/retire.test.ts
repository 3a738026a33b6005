/** The end of the total retention: a signed record, then the objects and partitions are gone, and nothing else. */
import { expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import {
  archivedRows,
  archiveStatus,
  holdTable,
  lineageOf,
  openQueries,
  planArchive,
  type RetireStep,
  retireExpired,
  runArchive,
  setPolicy,
} from '../../src/lifecycle/index.ts'
import type { ObjectStore } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { pretendOld } from '../support/old-database.ts'
import { insertEvents, storedObjects, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const
const attempts = { schema: 'akashi_auth', table: 'login_attempts' } as const

const run = (options: Parameters<typeof retireExpired>[4] = {}, store: ObjectStore = cold.store) =>
  retireExpired(worker, tester, store, ledger.keyring, options)
const problems = () => ledger.problems({ archived: archivedRows(worker, tester, cold.store) })

async function archived(day: string, rows: number): Promise<string> {
  await insertEvents(worker, day, rows)
  await ledger.seal()
  const partition = `security_events_p${day.replaceAll('-', '')}`
  const done = await runArchive(worker, tester, cold.store, { table: events, partRows: 100 })
  expect(done).toMatchObject([{ partition, action: 'dropped', rows }])
  return partition
}

/** The store, but for how it deletes. */
function storeWith(remove: (key: string) => Promise<void>): ObjectStore {
  const { store } = cold
  return {
    location: store.location,
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    listFolders: (folder, options) => store.listFolders(folder, options),
    put: (key, body, options) => store.put(key, body, options),
    get: (key, options) => store.get(key, options),
    delete: remove,
  }
}

test('archived periods are deleted after a signed record, and verification stays clean', async () => {
  await setPolicy(worker, tester, events, { format: 'parquet+csv' })
  const partition = await archived('2016-01-01', 250)
  await setPolicy(worker, tester, events, { format: 'parquet' })
  await archived('2016-01-02', 30)
  const young = await archived('2024-05-05', 20)
  const row = await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ id: string }>(
      "select row_id as id from akashi_audit.ledger_entries where log = 'security_events' and created_at < '2016-01-02' limit 1",
    )
    return rows[0]?.id ?? ''
  })
  expect(await planArchive(worker, tester, { table: events, only: 'retire' })).toMatchObject([
    { partition, action: 'retire', rows: 250 },
    { action: 'retire', rows: 30 },
  ])
  expect(await run({ table: events })).toMatchObject([
    { partition, action: 'retired', rows: 250 },
    { action: 'retired', rows: 30 },
  ])
  expect(await run({ table: events })).toEqual([])
  const left: string[] = []
  for await (const { key } of cold.store.list('')) if (key.includes('security_events')) left.push(key)
  expect(left.length).toBe(2)
  expect(left.every((key) => key.includes(young))).toBe(true)
  const report = await ledger.verify({ archived: archivedRows(worker, tester, cold.store) })
  expect(report.logs.flatMap((log) => log.problems)).toEqual([])
  expect(report.logs.find(({ log }) => log === 'security_events')).toMatchObject({
    checked: 20,
    retired: 280,
    retiredBy: [
      {
        policy: 'akashi_security.security_events: kept for P2555D, as installed',
        records: 2,
        rows: 280,
      },
    ],
  })
  const status = await archiveStatus(worker, tester, { table: events })
  expect(status.map(({ state }) => state)).toEqual(['retired', 'retired', 'dropped'])
  expect(await lineageOf(worker, cold.store, tester, row)).toMatchObject({
    livesIn: 'nowhere: retired',
    object: null,
    retentionRecord: expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
  const queries = openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: `${cold.folder}-cache`,
  })
  const found = await queries.run(tester, { sql: 'select count(*) from security_events' })
  queries.close()
  expect(found.rows).toEqual([[20]])
})

test('rows that come for a retired period go the same way', async () => {
  await archived('2016-01-01', 7)
  expect(await run({ table: events })).toMatchObject([{ action: 'retired', rows: 7 }])
  expect(await problems()).toEqual([])
})

test('a legal hold keeps everything, also when it begins in the middle', async () => {
  const partition = await archived('2016-01-03', 250)
  await holdTable(worker, tester, { ...events, held: true, reason: 'case 9' })
  expect(await run({ table: events })).toMatchObject([{ partition, action: 'held' }])
  await holdTable(worker, tester, { ...events, held: false, reason: 'case 9' })
  const keys = await storedObjects(cold.store)
  let deleted = 0
  const rows = await run(
    { table: events },
    storeWith(async (key) => {
      deleted += 1
      await cold.store.delete(key)
      await holdTable(worker, tester, { ...events, held: true, reason: 'case 9' })
    }),
  )
  expect(rows).toMatchObject([{ action: 'failed', message: expect.stringMatching(/legal hold/) }])
  expect(deleted).toBe(1)
  expect(await storedObjects(cold.store)).toHaveLength(keys.length - 1)
  await holdTable(worker, tester, { ...events, held: false, reason: 'case 9' })
  expect(await run({ table: events })).toMatchObject([{ partition, action: 'retired', rows: 250 }])
  expect(await problems()).toEqual([])
})

test('an object that its store locks stays, is named, and goes once the lock is over', async () => {
  const partition = await archived('2016-01-04', 5)
  const locked = storeWith(() =>
    Promise.reject(new AkashiError('forbidden', 'the object is locked until 2030')),
  )
  expect(await run({ table: events }, locked)).toMatchObject([
    { partition, action: 'failed', message: 'Error: the object is locked until 2030' },
  ])
  expect(await problems()).toEqual([])
  expect(await run({ table: events })).toMatchObject([{ partition, action: 'retired' }])
})

const steps: readonly RetireStep[] = ['recorded', 'begun', 'deleted', 'finished']

test.each(steps)('stopped after %s, the next run goes on', async (step) => {
  const day = `2016-02-0${steps.indexOf(step) + 1}`
  const partition = await archived(day, 120)
  await expect(
    run({
      table: events,
      onStep: (reached) => {
        if (reached === step) throw new Error('stopped')
      },
    }),
  ).rejects.toThrow('stopped')
  expect(await problems()).toEqual([])
  const again = await run({ table: events })
  expect(again).toMatchObject(step === 'finished' ? [] : [{ partition, action: 'retired', rows: 120 }])
  expect(await problems()).toEqual([])
  const kept = (await archiveStatus(worker, tester)).filter(({ state }) => state === 'dropped')
  expect(kept).toHaveLength(1)
})

test('nothing is removed before its time or without a retention record', async () => {
  const [young] = (await archiveStatus(worker, tester, { table: events })).filter(
    ({ state }) => state === 'dropped',
  )
  const begin = (id: string | undefined) =>
    worker.transaction(tester, (session) =>
      session.query('select akashi_lifecycle.begin_retiring($1, null)', [id]),
    )
  await expect(begin(young?.id)).rejects.toMatchObject({ code: 'conflict', message: /kept until/ })
  await archived('2016-03-01', 3)
  const old = (await archiveStatus(worker, tester, { table: events })).find(({ partition }) =>
    partition.endsWith('0301'),
  )
  await expect(begin(old?.id)).rejects.toMatchObject({ code: 'conflict', message: /no retention record/ })
  const before = await storedObjects(cold.store)
  expect(before).toEqual(expect.arrayContaining([old?.manifest]))
  await run({ table: events })
  expect((await storedObjects(cold.store)).length).toBe(before.length - 2)
})

test('login attempts are dropped by a signed record when six months are over, late ones too', async () => {
  const insert = (count: number) =>
    database.asSuperuser(async (session) => {
      await session.query(
        "select akashi_lifecycle.create_partitions('akashi_auth.login_attempts', '2025-01-05Z', '2025-01-05Z')",
      )
      await session.query(
        `insert into akashi_auth.login_attempts (created_at, issuer, identifier_hash, method, result)
         select timestamptz '2025-01-05Z' + i * interval '1 minute', 'local', sha256('x'), 'password', 'success'
         from generate_series(1, $1::integer) i`,
        [count],
      )
    })
  const gone = async () =>
    await database.asSuperuser(async (session) => {
      const { rows } = await session.query(
        "select to_regclass('akashi_auth.login_attempts_2025_01') is null as gone",
      )
      return rows
    })
  await insert(40)
  await pretendOld(database)
  // What is not sealed has no entry, and so no record.
  expect(await run({ table: attempts })).toMatchObject([
    { action: 'failed', message: expect.stringMatching(/no retention record covers/) },
  ])
  await ledger.seal()
  await holdTable(worker, tester, { ...attempts, held: true, reason: 'case 9' })
  expect(await run({ table: attempts })).toMatchObject([{ action: 'held' }])
  await holdTable(worker, tester, { ...attempts, held: false, reason: 'case 9' })
  expect(await run({ table: attempts })).toMatchObject([
    { partition: 'login_attempts_2025_01', action: 'retired', rows: 40, object: null },
  ])
  expect(await gone()).toEqual([{ gone: true }])
  const report = await ledger.verify({ archived: archivedRows(worker, tester, cold.store) })
  expect(report.logs.flatMap((log) => log.problems)).toEqual([])
  expect(report.logs.find(({ log }) => log === 'login_attempts')).toMatchObject({ retired: 40 })
  await insert(2)
  await ledger.seal()
  expect(await run({ table: attempts })).toMatchObject([{ action: 'retired', rows: 2 }])
  expect(await problems()).toEqual([])
})

test('what the store does not list, but the manifest names, is deleted too', async () => {
  await archived('2016-09-01', 20)
  const folder = 'archive/akashi_security/security_events/year=2016/month=09/day=01/'
  const keys = (await storedObjects(cold.store)).filter((key) => key.startsWith(folder))
  expect(keys.some((key) => key.endsWith('.parquet'))).toBe(true)
  const silent = { ...storeWith((key) => cold.store.delete(key)), list: async function* () {} }
  expect(await run({ table: events }, silent)).toMatchObject([{ action: 'retired', rows: 20 }])
  for (const key of keys) expect(await cold.store.head(key), key).toBeNull()
})

test('every object that is left is one that a manifest names', async () => {
  const kept = (await archiveStatus(worker, tester)).filter(({ state }) => state === 'dropped')
  expect(kept.length).toBeGreaterThan(0)
  expect(await storedObjects(cold.store)).toHaveLength(2 * kept.length)
})
