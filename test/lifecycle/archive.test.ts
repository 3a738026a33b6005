import { expect, test, vi } from 'vitest'
import {
  archivedRows,
  archiveStatus,
  planArchive,
  restorePartition,
  runArchive,
  verifyArchive,
} from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, testStore } from './support/archive.ts'
import { shopOf } from './support/shop.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()

const events = { schema: 'akashi_security', table: 'security_events' } as const

test('a closed and expired partition is exported, compared, detached and dropped', async () => {
  await insertEvents(worker, '2016-12-10', 1_000)
  await ledger.seal()
  const plan = await planArchive(worker, tester, { table: events })
  expect(plan).toMatchObject([{ partition: 'security_events_p20161210', action: 'drop', dropped: false }])
  const rows = await runArchive(worker, tester, cold.store, { table: events })
  expect(rows).toEqual([
    {
      table: 'akashi_security.security_events',
      partition: 'security_events_p20161210',
      action: 'dropped',
      rows: 1_000,
      exported: true,
      dropped: true,
      object: expect.stringContaining(
        'archive/akashi_security/security_events/year=2016/month=12/day=10/_security_events_p20161210.0.',
      ),
      message: 'Exported and dropped (1000 rows)',
    },
  ])
  expect(await runArchive(worker, tester, cold.store, { table: events })).toEqual([])
})

test('a partition that takes rows now is exported as of a later time, and does not leave', async () => {
  const shop = shopOf(database, () => worker)
  const table = await shop.makeTable('open_now', 'id integer')
  await database.asSuperuser((session) =>
    session.query("select akashi_lifecycle.create_partitions('shop.open_now'::regclass, now(), now())"),
  )
  await shop.asOwner('insert into shop.open_now (created_at, id) values (now(), 1)')
  const rows = await runArchive(worker, tester, cold.store, { table, asOf: new Date('2100-01-01') })
  expect(rows.filter(({ dropped }) => dropped)).toHaveLength(2)
  expect(rows.at(-1)).toMatchObject({ action: 'exported', rows: 1 })
  await expect(
    worker.transaction(tester, (session) =>
      session.query("select akashi_lifecycle.detach_partition('shop', 'open_now', $1, '2100-01-01')", [
        rows.at(-1)?.partition,
      ]),
    ),
  ).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('accepts rows until') })
  expect(await shop.rowsOf('shop.open_now')).toHaveLength(1)
})

test('a machine whose clock is years ahead moves nothing before its time', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 365 * 86_400_000 })
  try {
    expect(await planArchive(worker, tester, { table: events })).toEqual([])
    expect(await runArchive(worker, tester, cold.store, { table: events })).toEqual([])
  } finally {
    vi.useRealTimers()
  }
})

const wholeSql = `select coalesce(encode(sha256(string_agg(convert_to(r::text, 'UTF8'), '\\x0a' order by xid, seq)), 'hex'), '') as hash, count(*)::integer as rows
  from akashi_security.security_events r where created_at >= $1 and created_at < $1::timestamptz + interval '1 day'`

async function contents(day: string): Promise<{ hash: string; rows: number } | undefined> {
  return await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ hash: string; rows: number }>(wholeSql, [`${day}T00:00:00Z`])
    return rows[0]
  })
}

test('the ledger verifies archived rows from Parquet, and names what the store changed', async () => {
  const before = await ledger.verify({ archived: archivedRows(worker, tester, cold.store) })
  expect(before.logs.flatMap(({ problems }) => problems)).toEqual([])
  expect(before.logs.find(({ log }) => log === 'security_events')).toMatchObject({ checked: 1_000 })
  const without = await ledger.problems()
  expect(without).toHaveLength(1_000)
})

test('a partition comes back as it was, stays for a while, and goes again', async () => {
  await insertEvents(worker, '2017-02-03', 300)
  await ledger.seal()
  const before = await contents('2017-02-03')
  await runArchive(worker, tester, cold.store, { table: events, partRows: 100 })
  expect(await contents('2017-02-03')).toMatchObject({ rows: 0 })
  const restored = await restorePartition(database.open('owner'), tester, cold.store, {
    ...events,
    partition: 'security_events_p20170203',
  })
  expect(restored).toMatchObject({ rows: 300 })
  expect(await contents('2017-02-03')).toEqual(before)
  expect(await ledger.problems({ archived: archivedRows(worker, tester, cold.store) })).toEqual([])
  expect(await runArchive(worker, tester, cold.store, { table: events })).toMatchObject([{ action: 'held' }])
  const asOf = new Date(Date.parse(restored.keepUntil) + 1)
  const rows = await runArchive(worker, tester, cold.store, { table: events, asOf })
  expect(rows.filter(({ dropped }) => dropped)).toMatchObject([{ action: 'dropped', rows: 300 }])
})

test('an empty partition is exported and dropped like any other', async () => {
  await insertEvents(worker, '2017-04-05', 0)
  expect(await runArchive(worker, tester, cold.store, { table: events })).toMatchObject([
    { partition: 'security_events_p20170405', rows: 0, exported: true, dropped: true, action: 'dropped' },
  ])
  expect((await verifyArchive(worker, tester, cold.store)).filter(({ ok }) => !ok)).toEqual([])
})

test('late rows of an archived period get an object of their own', async () => {
  await insertEvents(worker, '2017-05-06', 10)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, { table: events })
  await insertEvents(worker, '2017-05-06', 5, 'late')
  await ledger.seal()
  const rows = await runArchive(worker, tester, cold.store, { table: events })
  const late = rows.filter(({ partition }) => partition.endsWith('0506'))
  expect(late).toMatchObject([
    { action: 'dropped', rows: 5, object: expect.stringMatching(/_p20170506\.1\.[0-9a-f]{16}\.json$/) },
  ])
  const status = (await archiveStatus(worker, tester, { table: events })).filter(({ partition }) =>
    partition.endsWith('0506'),
  )
  expect(status.map(({ rows: count, state }) => [count, state])).toEqual([
    [10, 'dropped'],
    [5, 'dropped'],
  ])
  expect(await ledger.problems({ archived: archivedRows(worker, tester, cold.store) })).toEqual([])
  expect((await verifyArchive(worker, tester, cold.store)).filter(({ ok }) => !ok)).toEqual([])
})
