/** Maintenance does what autovacuum does not, gives way to whoever waits for it, and leaves nothing half done. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  analyzeChanged,
  bloatedIndexes,
  leftIndexes,
  maintenanceTasks,
  reindexBloated,
  vacuumOverdue,
} from '../../src/operations/index.ts'
import { type Database, openDatabase, SQLSTATE, sqlState } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { keepingLog } from './keeping-log.ts'

const KIBIBYTE = 1_024
const LIMITS = { percent: 50, bytes: 64 * KIBIBYTE }
const signal = new AbortController().signal

const database = testDatabase()
const worker = database.open('worker')
let administrator: Database

const ask = async <R>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows

beforeAll(async () => {
  administrator = database.open('owner')
  await ask('create table public.shrunk (id integer primary key, note text)')
  await ask('create table public.full (id integer primary key)')
  await ask(`insert into public.shrunk select n, 'note ' || n from generate_series(1, 20000) n`)
  await ask('insert into public.full select n from generate_series(1, 20000) n')
  // Autovacuum must not come first.
  await ask('alter table public.shrunk set (autovacuum_enabled = false)')
  await ask('delete from public.shrunk where id % 20 <> 0')
})
afterAll(() => administrator.close())

const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name)
const bloated = () => administrator.direct((session) => bloatedIndexes(session, LIMITS))
const left = () => administrator.direct(leftIndexes)

test('what changed is analyzed, partitioned tables too, and the next run finds nothing to do', async () => {
  await ask(
    `create table public.measured (at date not null) partition by range (at);
     create table public.measured_2026 partition of public.measured for values from ('2026-01-01') to ('2027-01-01');
     insert into public.measured select '2026-01-01'::date + n from generate_series(0, 299) n`,
  )
  await ask('select pg_stat_force_next_flush()')
  const { analyzed, skipped, notAllowed } = await analyzeChanged({ administrator, worker }, tester)
  expect([skipped, notAllowed]).toEqual([[], []])
  expect(analyzed).toBeGreaterThanOrEqual(3)
  const rows = await ask<{ name: string; rows: number }>(
    `select relname as name, reltuples::float8 as rows from pg_class where relname in ('measured', 'measured_2026', 'shrunk') order by 1`,
  )
  expect(rows.map((row) => row.rows)).toEqual([300, 300, 1000])
})

test('a login that owns nothing has the tables of Akashi analyzed, and those of others named', async () => {
  await ask('insert into public.full values (0)')
  await ask(`insert into akashi_auth.login_attempts (method, result) values ('password', 'success')`)
  await ask('select pg_stat_force_next_flush()')
  const server = openDatabase({ url: database.url('server'), role: 'owner' })
  try {
    const found = await analyzeChanged({ administrator: server, worker }, tester)
    expect(found.notAllowed).toContain('public."full"')
    expect(found.notAllowed.filter((name) => name.startsWith('akashi_'))).toEqual([])
    expect(found.analyzed).toBeGreaterThanOrEqual(1)
    const { rebuilt, notAllowed } = await reindexBloated(server, LIMITS)
    expect([rebuilt, notAllowed]).toEqual([[], []])
  } finally {
    await server.close()
  }
})

test('only Akashi itself has its tables analyzed, and no others', async () => {
  const analyze = (role: 'worker' | 'app' | 'reader' | 'security_admin', schema: string, table: string) =>
    database
      .open(role)
      .transaction(tester, (session) =>
        session.query('select akashi_lifecycle.analyze_table($1, $2)', [schema, table]),
      )
  for (const role of ['app', 'reader', 'security_admin'] as const) {
    await expect(analyze(role, 'akashi_auth', 'users')).rejects.toMatchObject({ code: 'forbidden' })
  }
  for (const [schema, table] of [
    ['public', 'full'],
    ['pg_catalog', 'pg_authid'],
    ['akashi_auth', 'users"; drop table x; --'],
  ] as const) {
    const failed = await analyze('worker', schema, table).catch((error: unknown) => error)
    expect(sqlState(failed), table).toBe(SQLSTATE.undefinedTable)
  }
})

test('dead rows are vacuumed, once', async () => {
  await ask('select pg_stat_force_next_flush()')
  const found = await vacuumOverdue(administrator)
  expect(found.vacuumed).toContain('public.shrunk')
  expect(found.transactionAge).toBeGreaterThan(0)
  expect((await vacuumOverdue(administrator)).vacuumed).not.toContain('public.shrunk')
})

test('a rebuild gives way to an application that alters the table, and leaves no index behind', async () => {
  expect(names(await bloated())).toEqual(['public.shrunk_pkey'])
  const ready = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  // An old snapshot keeps the rebuild from ending, so that it is certainly under way.
  const old = database.asSuperuser(async (session) => {
    await session.query('begin isolation level repeatable read')
    await session.query('select pg_current_xact_id()')
    ready.resolve()
    await end.promise
    await session.query('commit')
  })
  await ready.promise
  const rebuilding = reindexBloated(administrator, LIMITS)
  await expect
    .poll(async () => (await ask('select from pg_stat_progress_create_index')).length, { timeout: 10_000 })
    .toBe(1)
  await ask(`begin; set local lock_timeout = '5s'; alter table public.shrunk add column more text; commit`)
  end.resolve()
  await old
  const { rebuilt, skipped } = await rebuilding
  expect({ rebuilt, skipped }).toEqual({ rebuilt: [], skipped: ['public.shrunk_pkey'] })
  expect(await left()).toEqual([])
})

test('the monthly job rebuilds what is bloated and nothing else, and removes what was left', async () => {
  await ask('create index shrunk_pkey_ccnew on public.shrunk (id)')
  await ask(`update pg_index set indisvalid = false where indexrelid = 'public.shrunk_pkey_ccnew'::regclass`)
  expect(names(await left())).toEqual(['public.shrunk_pkey_ccnew'])
  const found = await reindexBloated(administrator, LIMITS)
  expect(found).toMatchObject({ removed: ['public.shrunk_pkey_ccnew'], skipped: [], notAllowed: [] })
  expect(found.rebuilt).toEqual([
    { name: 'public.shrunk_pkey', bytesBefore: expect.any(Number), bytes: expect.any(Number) },
  ])
  const [one] = found.rebuilt
  expect(one?.bytes).toBeLessThan((one?.bytesBefore ?? 0) / 5)
  expect([await bloated(), await left()]).toEqual([[], []])
})

test('history past its time is removed by its job, and nothing younger', async () => {
  await ask(
    `insert into akashi_lifecycle.alarms (condition, severity, detail, began_at, opened_at, cleared_at)
     select 'disk', 'low', 'x', at, at, at from (values (now() - interval '401 days'), (now() - interval '399 days')) t (at)`,
  )
  const tasks = maintenanceTasks(database.url('owner'))
  const context = { worker, actor: tester, signal, log: keepingLog(), onProgress: () => undefined }
  expect(await tasks['history.prune']?.(context)).toEqual({ alarms: 1, restores: 0 })
  expect(await tasks['maintenance.reindex']?.(context)).toMatchObject({
    rebuilt: [],
    skipped: [],
    removed: [],
  })
})
