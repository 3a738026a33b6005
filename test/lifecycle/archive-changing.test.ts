/** Rows that may still change, holds that begin meanwhile and stores that are slow: every state has a way forward. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  archiveStatus,
  holdTable,
  planArchive,
  restorePartition,
  runArchive,
  setPolicy,
} from '../../src/lifecycle/index.ts'
import type { ObjectStore } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, storedObjects, testStore } from './support/archive.ts'
import { shopOf } from './support/shop.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const shop = shopOf(database, () => worker)
type Table = { readonly schema: string; readonly table: string }

async function prepared(name: string): Promise<Table> {
  const table = await shop.makeTable(name, 'id bigint, v integer')
  await shop.asOwner(`insert into shop.${name} select '2024-01-10', i, 0 from generate_series(1, 200) i`)
  return table
}

const states = async (table: Table) =>
  (await archiveStatus(worker, tester, { table })).map(({ state }) => state)
const archive = (table: Table, options: Partial<Parameters<typeof runArchive>[3]> = {}) =>
  runArchive(worker, tester, cold.store, { table, partRows: 50, ...options })
const restore = (table: Table, partition: string) =>
  restorePartition(database.open('owner'), tester, cold.store, { ...table, partition })
/** Throws at a step, as a run that is stopped there. */
const stopAt = (step: string) => ({
  onStep: (reached: string) => {
    if (reached === step) throw new Error(`stopped at ${step}`)
  },
})

test('a row that changes between comparison and detachment is exported as it is then', async () => {
  const table = await prepared('changing')
  let changed = false
  const rows = await archive(table, {
    onStep: async (step, target) => {
      if (step !== 'checked' || changed || !target.from.startsWith('2024-01')) return
      changed = true
      await shop.asOwner('update shop.changing set v = 41 where id = 7')
    },
  })
  expect(rows.map(({ action }) => action)).toEqual(['dropped', 'dropped'])
  expect(await states(table)).toEqual(['superseded', 'dropped', 'dropped'])
  await restore(table, 'changing_2024_01')
  expect(await shop.rowsOf('(select * from shop.changing where id = 7)')).toMatchObject([{ v: 41 }])
})

test('rows that keep changing stay in the table, and are archived once they do not', async () => {
  const table = await prepared('restless')
  let v = 0
  const rows = await archive(table, {
    onStep: async (step, target) => {
      if (step !== 'checked' || !target.from.startsWith('2024-01')) return
      v += 1
      await shop.asOwner(`update shop.restless set v = ${v}`)
    },
  })
  expect(rows[0]).toMatchObject({
    action: 'failed',
    message: expect.stringMatching(/differ from the exported ones/),
  })
  expect(await shop.rowsOf('shop.restless')).toHaveLength(200)
  expect((await archive(table)).map(({ action }) => action)).toEqual(['dropped'])
})

test('a detached partition that may not leave any more is attached again, and can be written to', async () => {
  const table = await prepared('held')
  await expect(archive(table, stopAt('detached'))).rejects.toThrow('stopped')
  expect(await states(table)).toContain('detached')
  expect(await shop.rowsOf('shop.held')).toEqual([])
  await holdTable(worker, tester, { ...table, held: true, reason: 'case 9' })
  expect((await planArchive(worker, tester, { table })).map(({ action }) => action)).toContain('reattach')
  expect((await archive(table)).map(({ action }) => action)).toContain('reattached')
  expect(await shop.rowsOf('shop.held')).toHaveLength(200)
  await shop.asOwner(
    'update shop.held set v = 5 where id = 1',
    "insert into shop.held values ('2024-01-11', 900, 1)",
  )
  await holdTable(worker, tester, { ...table, held: false, reason: 'case 9' })
  expect((await archive(table)).map(({ action }) => action)).toEqual(['dropped', 'dropped'])
  await restore(table, 'held_2024_01')
  expect(await shop.rowsOf('shop.held')).toHaveLength(201)
})

test('a detached partition is restored by attaching it, and stays as long as one that was dropped', async () => {
  const table = await prepared('early')
  await expect(archive(table, stopAt('detached'))).rejects.toThrow('stopped')
  expect(await restore(table, 'early_2024_01')).toMatchObject({ rows: 200 })
  expect(await shop.rowsOf('shop.early')).toHaveLength(200)
  const rows = await archive(table)
  expect(rows.filter(({ partition }) => partition === 'early_2024_01')).toMatchObject([{ action: 'held' }])
})

test('a longer time in PostgreSQL brings a detached partition back', async () => {
  const table = await prepared('longer')
  await expect(archive(table, stopAt('detached'))).rejects.toThrow('stopped')
  await setPolicy(worker, tester, table, { hot: '8000 days' })
  expect((await archive(table)).map(({ action }) => action)).toContain('reattached')
  expect(await shop.rowsOf('shop.longer')).toHaveLength(200)
})

test('a detached partition whose export the store has lost is back in its table, and is exported again', async () => {
  const table = await prepared('lost')
  await expect(archive(table, stopAt('detached'))).rejects.toThrow('stopped')
  const own = (await storedObjects(cold.store)).filter(
    (key) => key.includes('/shop/lost/') && key.endsWith('.parquet'),
  )
  for (const key of own) await cold.store.delete(key)
  const rows = await archive(table)
  expect(rows[0]).toMatchObject({ action: 'failed', message: expect.stringMatching(/no object|missing/) })
  expect(await shop.rowsOf('shop.lost')).toHaveLength(200)
  expect((await archive(table, { again: true })).map(({ action }) => action)).toEqual(['dropped'])
  await restore(table, 'lost_2024_01')
  expect(await shop.rowsOf('shop.lost')).toHaveLength(200)
})

test('a log whose object was lost is exported again from the table, and every row is found once', async () => {
  const events = { schema: 'akashi_security', table: 'security_events' } as const
  await insertEvents(worker, '2016-05-05', 60)
  await ledger.seal()
  await archive(events, { only: 'export' })
  await insertEvents(worker, '2016-05-05', 5, 'late')
  await ledger.seal()
  await archive(events, { only: 'export' })
  const [key = ''] = (await storedObjects(cold.store)).filter(
    (each) => each.includes('p20160505.0') && each.endsWith('.parquet'),
  )
  await cold.store.delete(key)
  expect(await archive(events)).toMatchObject([{ action: 'failed' }])
  expect(await archive(events, { again: true })).toMatchObject([{ action: 'dropped', rows: 65 }])
  const found = (await archiveStatus(worker, tester, { table: events })).map(({ state, rows }) => [
    state,
    rows,
  ])
  expect(found).toEqual([
    ['superseded', 60],
    ['superseded', 5],
    ['dropped', 65],
  ])
  const { archivedRows } = await import('../../src/lifecycle/index.ts')
  expect(await ledger.problems({ archived: archivedRows(worker, tester, cold.store) })).toEqual([])
})

test('rows that came late for a table without a log are restored with the others', async () => {
  const table = await prepared('late')
  await archive(table)
  await database.asSuperuser((session) =>
    session.query("select akashi_lifecycle.create_partitions('shop.late', '2024-01-01', '2024-01-01')"),
  )
  await shop.asOwner("insert into shop.late values ('2024-01-20', 901, 9)")
  await expect(restore(table, 'late_2024_01')).rejects.toMatchObject({ code: 'conflict' })
  expect((await archive(table)).map(({ action, rows }) => [action, rows])).toEqual([['dropped', 1]])
  expect(await restore(table, 'late_2024_01')).toMatchObject({ rows: 201 })
  expect(await shop.rowsOf('shop.late')).toHaveLength(201)
})

test('while a partition is restored, its table is read and written', async () => {
  const table = await prepared('open')
  await archive(table)
  const seen: number[] = []
  await restorePartition(database.open('owner'), tester, cold.store, {
    ...table,
    partition: 'open_2024_01',
    onStep: async (step) => {
      if (step === 'attached') return
      await worker.transaction(tester, async (session) => {
        await session.query("set local lock_timeout = '100ms'")
        await session.query('select count(*) from shop.open')
        seen.push(1)
      })
    },
  })
  expect(seen).toHaveLength(3)
  expect(await shop.rowsOf('shop.open')).toHaveLength(200)
})

/** Milliseconds that the server lets a transaction or a connection wait, and that the store takes for each answer. */
const IDLE_LIMIT_MS = 300
const STORE_MS = 700

function slow(store: ObjectStore): ObjectStore {
  return {
    location: store.location,
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    listFolders: (folder, options) => store.listFolders(folder, options),
    delete: (key) => store.delete(key),
    put: async (key, body, options) => {
      await sleep(STORE_MS)
      return await store.put(key, body, options)
    },
    get: async (key, options) => {
      await sleep(STORE_MS)
      return await store.get(key, options)
    },
  }
}

test('a store that is slower than the server lets anything idle ends neither an export nor a restore', async () => {
  const table = await prepared('slow')
  await database.asSuperuser((session) =>
    session.query(`do $$ begin
      execute format('alter database %I set idle_in_transaction_session_timeout = ${IDLE_LIMIT_MS}', current_database());
      execute format('alter database %I set idle_session_timeout = ${IDLE_LIMIT_MS}', current_database());
    end $$`),
  )
  try {
    const fresh = database.open('worker')
    const rows = await runArchive(fresh, tester, slow(cold.store), { table, partRows: 100 })
    expect(rows.map(({ action, message }) => [action, message.slice(0, 8)])).toEqual([
      ['dropped', 'Exported'],
      ['dropped', 'Exported'],
    ])
    const restored = await restorePartition(database.open('owner'), tester, slow(cold.store), {
      ...table,
      partition: 'slow_2024_01',
    })
    expect(restored.rows).toBe(200)
  } finally {
    await database.asSuperuser((session) =>
      session.query(`do $$ begin
        execute format('alter database %I reset idle_in_transaction_session_timeout', current_database());
        execute format('alter database %I reset idle_session_timeout', current_database());
      end $$`),
    )
  }
}, 60_000)

test('what a table lacks for the archive is named when its policy is set', async () => {
  await database.asSuperuser((session) =>
    session.query(`create schema other; create table other.t (id bigint, "Id" text, created_at timestamptz not null)
      partition by range (created_at); alter table other.t owner to akashi_owner`),
  )
  const policy = { interval: 'month', hot: '30 days', total: '60 days', atExpiry: 'archive' } as const
  const set = () => setPolicy(worker, tester, { schema: 'other', table: 't' }, policy)
  await expect(set()).rejects.toMatchObject({
    code: 'conflict',
    hint: `grant usage on schema other to akashi_worker; grant usage, create on schema other to akashi_owner; grant select on other.t to akashi_worker; alter table other.t add primary key (…); alter table other.t rename column "Id" to …`,
  })
  await database.asSuperuser((session) =>
    session.query(`grant usage on schema other to akashi_worker; grant usage, create on schema other to akashi_owner;
      grant select on other.t to akashi_worker; alter table other.t rename column "Id" to code;
      alter table other.t add primary key (id, created_at)`),
  )
  expect(await set()).toMatchObject({ atExpiry: 'archive' })
})
