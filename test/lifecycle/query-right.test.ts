/** A query returns the right result or an error: nothing is read by a name in a text, from a changed file, or from two moments. */
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identifier } from '../../src/lifecycle/archive/quote.ts'
import {
  openQueries,
  type Queries,
  type QueryResult,
  runArchive,
  setPolicy,
} from '../../src/lifecycle/index.ts'
import { holdPartitions } from '../../src/lifecycle/query/catalog.ts'
import { openEngines } from '../../src/lifecycle/query/engine.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const
const opened: Queries[] = []

/** Queries of a new process: nothing is known of the files in the cache. */
function openNew(): Queries {
  const queries = openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: `${cold.folder}-cache`,
  })
  opened.push(queries)
  return queries
}

async function ask(sql: string, queries = openNew()): Promise<QueryResult> {
  return await queries.run(tester, { sql })
}

afterAll(async () => {
  for (const queries of opened) queries.close()
  await rm(`${cold.folder}-cache`, { recursive: true, force: true })
})

async function asOwner(...statements: string[]): Promise<void> {
  await database.asSuperuser((session) => session.query(['set role akashi_owner', ...statements].join('; ')))
}

/** A table of an application, by month, with its rights and a policy. */
async function makeTable(name: string, columns: string): Promise<void> {
  const relation = `shop.${identifier(name)}`
  await asOwner(
    `create table ${relation} (id bigint not null, created_at timestamptz not null, ${columns}, primary key (id, created_at))
       partition by range (created_at)`,
    `grant select, insert on ${relation} to akashi_worker, akashi_security_admin`,
  )
  await setPolicy(
    worker,
    tester,
    { schema: 'shop', table: name },
    { interval: 'month', hot: '30 days', total: '9000 days', atExpiry: 'archive' },
  )
  await database.asSuperuser((session) =>
    session.query("select akashi_lifecycle.create_partitions($1::regclass, '2024-01-01', '2024-02-01')", [
      relation,
    ]),
  )
}

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(
      'create schema shop authorization akashi_owner; grant usage on schema shop to akashi_worker, akashi_security_admin',
    ),
  )
  await insertEvents(worker, '2024-06-10', 300)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, { table: events })
  await insertEvents(worker, new Date().toISOString().slice(0, 10), 7, 'hot')
})

describe('functions that read a table named in a text are refused', () => {
  test.each([
    "query('select 1 from security_events')",
    "query_table('security_events')",
    "query_table(['security_events'])",
    "json_execute_serialized_sql(json_serialize_sql('select 1 from security_events'))",
    "histogram('security_events', severity)",
    "main.query('select 1 from security_events')",
    'duckdb_views()',
    'duckdb_settings()',
    "pragma_table_info('security_events')",
    "pragma_show('security_events')",
    "summary('security_events')",
    "read_parquet('/dev/null')",
    '(show tables)',
    '(show all tables)',
    'security_events at (version => 1)',
  ])('%s', async (from) => {
    await expect(
      ask(
        `select (select count(*) from ${from}), count(*) from security_events where created_at < '2025-01-01'`,
      ),
    ).rejects.toMatchObject({ code: 'forbidden' })
  })

  test.each([
    "current_setting('memory_limit')",
    "getvariable('x')",
    'pg_get_viewdef(1)',
    "nextval('s')",
    '?',
  ])('select %s', async (expression) => {
    await expect(ask(`select ${expression}`)).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('the required functions and grammar remain available', async () => {
    const { rows } = await ask(`
      with recursive steps(n) as (select 1 union all select n + 1 from steps where n < 3),
           found as materialized (select *, row_number() over (order by created_at) as place from security_events)
      select count(*) filter (where place % 2 = 1), (select max(n) from steps), list_transform([1, 2], lambda x: x + 1),
             (select sum(i) from range(4) t(i)), (select count(*) from unnest(['a', 'b']) u(x)),
             (select count(*) from json_each('{"a": 1}')), (select string_agg(v order by v desc) from (values ('x'), ('y')) t(v))
      from found where case when place between 1 and 1000 then true else not false end`)
    expect(rows).toEqual([[154, 3, [2, 3], 6, 2, 1, 'y,x']])
    expect((await ask('summarize security_events')).rows.length).toBeGreaterThan(10)
    expect((await ask('describe security_events')).rows.length).toBeGreaterThan(10)
    expect((await ask('from security_events select distinct severity order by 1 limit 1')).rows).toEqual([
      ['low'],
    ])
  })
})

test('the engine itself reads no file, writes none and keeps its settings, whatever it is given to run', async () => {
  const engines = openEngines()
  const limits = { memory: '200MB', threads: 1, rows: 10, bytes: 1_000_000 }
  const dataset = { key: 'nothing', files: [], views: [] }
  for (const sql of [
    "select * from read_text('/etc/passwd')",
    "select * from read_csv('/etc/passwd')",
    "select * from glob('/*')",
    "select * from '/etc/passwd'",
    "copy (select 1) to '/tmp/akashi-engine-out.csv'",
    "attach '/tmp/akashi-engine.db'",
    'set enable_external_access = true',
    'reset lock_configuration',
    'load httpfs',
    "select * from read_parquet('http://127.0.0.1:1/x.parquet')",
    "call enable_logging('QueryLog', storage => 'file', storage_path => '/tmp/akashi-engine-log')",
    'create table t as select 1',
  ]) {
    const engine = await engines.borrow()
    await expect(engine.ask({ kind: 'run', sql, dataset, limits }, 'done'), sql).rejects.toBeDefined()
    engines.giveBack(engine)
  }
  engines.close()
})

async function cachedFiles(): Promise<string[]> {
  const names = await readdir(`${cold.folder}-cache`)
  return names.filter((name) => name.endsWith('.parquet')).map((name) => join(`${cold.folder}-cache`, name))
}

async function change(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, at)
  await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
  await handle.close()
}

test('a byte that changes in the cache is found, between two queries of a process and by another process', async () => {
  const sql =
    "select md5(string_agg(user_name || event_details, '' order by created_at)) from security_events"
  const queries = openNew()
  const right = await ask(sql, queries)
  const [file = ''] = await cachedFiles()
  for (const at of [4, 1_000, 2_000, 3_000]) {
    await change(file, at)
    expect((await ask(sql, queries)).rows).toEqual(right.rows)
    await change(file, at + 1)
    expect((await ask(sql)).rows).toEqual(right.rows)
  }
  await rm(file)
  expect((await ask(sql, queries)).rows).toEqual(right.rows)
})

test('columns of a table that are called year, month and day are its own, hot and cold', async () => {
  await makeTable('calendar', 'year integer, "Month" text, day date')
  await asOwner(`insert into shop.calendar values
    (1, '2024-01-15+00', 1999, '13', '1999-01-01'), (2, '2024-01-16+00', 2024, '01', '2024-01-16'), (3, '2024-02-16+00', 2024, '02', null)`)
  const questions = [
    ['select id, year from shop.calendar where year = 1999', [['1', 1999]]],
    ["select id from calendar where month = '13' and year = 1999", [['1']]],
    ['select id from calendar where year >= 2025', []],
    ["select id from calendar where day < '2000-01-01'", [['1']]],
    ["select count(*) from calendar where created_at >= '2024-02-01'", [[1]]],
  ] as const
  for (const [sql, rows] of questions)
    expect(
      (await ask(sql)).rows.map((row) => row.map(String)),
      sql,
    ).toEqual(rows.map((row) => row.map(String)))
  await runArchive(worker, tester, cold.store, { table: { schema: 'shop', table: 'calendar' } })
  for (const [sql, rows] of questions) {
    const found = await ask(sql)
    expect(found.hot).toBe(0)
    expect(
      found.rows.map((row) => row.map(String)),
      sql,
    ).toEqual(rows.map((row) => row.map(String)))
  }
})

test.each(['Orders 2024', 'お客様', 'with "quotes"', "it's", 'select'])(
  'a table called %s is queried, by its name in any case',
  async (name) => {
    await makeTable(name, 'v text')
    await asOwner(`insert into shop.${identifier(name)} values (1, '2024-01-15+00', 'cold')`)
    const written = [`shop.${identifier(name)}`, identifier(name.toUpperCase()), `SHOP.${identifier(name)}`]
    const read = (table: string) => ask(`select v from ${table} where created_at < '2024-02-01'`)
    for (const table of written) expect((await read(table)).rows).toEqual([['cold']])
    await runArchive(worker, tester, cold.store, { table: { schema: 'shop', table: name } })
    for (const table of written) expect(await read(table)).toMatchObject({ rows: [['cold']], hot: 0 })
  },
  60_000,
)

test('a table in a schema that the role may not enter hides no other', async () => {
  await database.asSuperuser((session) =>
    session.query(`create schema closed authorization akashi_owner; set role akashi_owner;
      create table closed.t (id bigint, created_at timestamptz not null, primary key (id, created_at)) partition by range (created_at);
      insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
        values ('closed', 't', 'month', 3, '30 days', 'keep', '60 days', false)`),
  )
  expect((await ask('select count(*) from security_events')).rows).toEqual([[307]])
  await expect(ask('select count(*) from closed.t')).rejects.toMatchObject({ code: 'invalid_input' })
})

test('a partition that leaves between the snapshot and the lock is noticed', async () => {
  await makeTable('moving', 'v text')
  const found = await worker.transaction(
    tester,
    async (session) => {
      await session.query('select 1')
      await asOwner('alter table shop.moving detach partition shop.moving_2024_01')
      return [await holdPartitions(session, { schema: 'shop', table: 'moving' })]
    },
    { isolation: 'repeatable read', readOnly: true },
  )
  expect(found).toEqual([false])
  const later = await worker.transaction(
    tester,
    (session) => holdPartitions(session, { schema: 'shop', table: 'moving' }),
    { isolation: 'repeatable read', readOnly: true },
  )
  expect(later).toBe(true)
})

test('two tables that are written together are read at one moment', async () => {
  await makeTable('debit', 'v integer')
  await makeTable('credit', 'v integer')
  let running = true
  const writer = (async () => {
    const application = database.open('worker')
    for (let id = 1; running; id += 1) {
      await application.transaction(tester, async (session) => {
        await session.query("insert into shop.debit values ($1, '2024-01-15+00', 1)", [id])
        await session.query("insert into shop.credit values ($1, '2024-01-15+00', 1)", [id])
      })
    }
  })()
  const queries = openNew()
  const differences = new Set<unknown>()
  for (let time = 0; time < 15; time += 1) {
    const { rows } = await ask(
      'select (select count(*) from debit) - (select count(*) from credit) as difference',
      queries,
    )
    differences.add(rows[0]?.[0])
  }
  running = false
  await writer
  expect([...differences].map(Number)).toEqual([0])
})

test('a row of 12 MiB that is not archived yet is read', async () => {
  await makeTable('long', 'v text')
  await asOwner(
    `insert into shop.long values (1, '2024-01-15+00', repeat('"é', 4 << 20)), (2, '2024-01-15+00', 'short')`,
  )
  const { rows } = await ask('select id, length(v) from shop.long order by id')
  expect(rows.map((row) => row.map(Number))).toEqual([
    [1, 8 << 20],
    [2, 5],
  ])
})
