import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import {
  openQueries,
  type Queries,
  type QueryRequest,
  type QueryResult,
  runArchive,
} from '../../src/lifecycle/index.ts'
import type { ObjectStore } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const

let queries: Queries | undefined
afterAll(async () => {
  queries?.close()
  await rm(`${cold.folder}-cache`, { recursive: true, force: true })
})

function query(sql: string, options: Partial<QueryRequest> = {}): Promise<QueryResult> {
  queries ??= openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: `${cold.folder}-cache`,
  })
  return queries.run(tester, { sql, ...options })
}

const today = new Date().toISOString().slice(0, 10)
const FILES = ['2024-06-10', '2024-06-11', '2025-01-02']

/** Three archived days, late rows for one of them, and rows of today. */
beforeAll(async () => {
  await insertEvents(worker, '2024-06-10', 1_000)
  await insertEvents(worker, '2024-06-11', 500)
  await insertEvents(worker, '2025-01-02', 40)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, { table: events })
  await insertEvents(worker, '2024-06-11', 5, 'late')
  await insertEvents(worker, today, 20)
})

test('cold, late and hot rows are found under one name', async () => {
  const all = await query('select count(*) as n, count(distinct id) as ids from security_events')
  expect(all).toMatchObject({ columns: ['n', 'ids'], rows: [[1_565, 1_565]], hot: 25, truncated: false })
  expect(all.files).toHaveLength(FILES.length)
  expect(await query('select count(*) from akashi_security.security_events')).toMatchObject({
    rows: [[1_565]],
  })
})

describe('the queries of the requirements over the archive', () => {
  test('failed logins of a year, newest first', async () => {
    const found = await query(`
      SELECT tenant_id, user_id, created_at, event_details FROM security_events
      WHERE year = '2024' AND event_type = 'login_failure' AND tenant_id = 'tenant-a'
      ORDER BY created_at DESC LIMIT 100`)
    expect(found.columns).toEqual(['tenant_id', 'user_id', 'created_at', 'event_details'])
    expect(found.rows).toHaveLength(100)
    const newest = '00000000-0000-7000-8000-000000000003'
    expect(found.rows[0]).toEqual([
      ...['tenant-a', newest, '2024-06-11 00:08:20+00', '{"i": 500, "note": "event"}'],
    ])
    expect(found.files).toHaveLength(2)
    expect(found.hot).toBe(5)
  })

  test('events by tenant and type of a month', async () => {
    const found = await query(`
      SELECT tenant_id, event_type, COUNT(*) as event_count FROM security_events
      WHERE year = '2024' AND month = '06' GROUP BY tenant_id, event_type ORDER BY event_count DESC`)
    expect(found).toMatchObject({
      rows: [
        ['tenant-a', 'login_failure', 1_005],
        ['tenant-b', 'login_failure', 500],
      ],
      hot: 5,
    })
    expect(found.files).toHaveLength(2)
  })

  test('suspicious addresses', async () => {
    const found = await query(`
      SELECT source_ip, COUNT(DISTINCT user_id) as affected_users, COUNT(*) as attempt_count FROM security_events
      WHERE event_type = 'login_failure' AND year >= '2024'
      GROUP BY source_ip HAVING COUNT(*) > 100 ORDER BY attempt_count DESC`)
    expect(found.rows).toEqual([['10.0.0.1', 7, 791]])
  })
})

describe('only objects that can hold rows are read', () => {
  test.each([
    ["created_at >= '2024-06-10' and created_at < '2024-06-11'", 1, 1_000],
    [
      "created_at >= timestamptz '2024-06-10 00:10:00Z' and created_at < timestamptz '2024-06-10 00:10:05Z'",
      1,
      5,
    ],
    ["created_at between '2024-06-11' and '2024-06-12'", 1, 505],
    ["'2025-01-01' <= created_at and created_at < now() - interval '30 days'", 1, 40],
    ["year = '2024' and month = '06' and day = '10'", 1, 1_000],
    ['year = 2025', 1, 40],
    ["year > '2025' and created_at < '2026-01-01'", 0, 0],
    ["created_at < '2024-06-10' or created_at >= '2025-01-01'", 3, 60],
    ["not (created_at < '2025-01-02')", 1, 60],
    ["created_at::date = '2024-06-10'", 3, 1_000],
    ["created_at >= (select max(created_at) from security_events where year = '2024')", 3, 61],
  ])('%s: %i files', async (where, files, rows) => {
    const found = await query(`select count(*) from security_events e where ${where}`)
    expect([found.files.length, found.rows[0]?.[0]]).toEqual([files, rows])
  })

  test.each([
    [
      "select count(*) from security_events a, security_events b where a.created_at >= '2025-01-01' and b.id = a.id",
      3,
    ],
    [
      "select count(*) from security_events a join security_events b using (id) where a.year = '2025' and b.year = '2025'",
      1,
    ],
    [
      "select count(*) from (select 1) x left join security_events e on true where e.created_at >= '2025-01-01'",
      3,
    ],
    [
      "with security_events as (from akashi_security.security_events) select count(*) from security_events where year = '2025'",
      3,
    ],
    [
      "select count(*) from security_events where year = '2025' union all select count(*) from security_events where year = '2024'",
      3,
    ],
    ["select (select count(*) from security_events where year = '2025')", 1],
    ["select count(*) from security_events e (a, created_at) where created_at >= '2025-01-01'", 3],
  ])('%s', async (sql, files) => {
    const found = await query(sql).catch(() => undefined)
    expect(found?.files.length).toBe(files)
  })
})

test('what PostgreSQL sends has the columns that are named, and the answer their types', async () => {
  const { columns, types, rows } = await query(
    `select id, source_ip, event_details ->> 'i' as i, severity, xid, received_at from security_events where created_at >= '${today}' order by created_at limit 1`,
  )
  expect(columns).toEqual(['id', 'source_ip', 'i', 'severity', 'xid', 'received_at'])
  expect(types).toEqual(['VARCHAR', 'VARCHAR', 'VARCHAR', 'VARCHAR', 'BIGINT', 'TIMESTAMP WITH TIME ZONE'])
  expect(rows[0]?.[2]).toBe('1')
  const star = await query(`select * from security_events where created_at >= '${today}' limit 1`)
  expect(star.columns.slice(-3)).toEqual(['year', 'month', 'day'])
  expect(star.columns).toContain('event_details')
})

describe('a query reads nothing but its tables, and writes nothing', () => {
  test.each([
    ["copy (select 1) to '/tmp/akashi-out.csv'", 'forbidden'],
    ["copy security_events to '/tmp/akashi-out.parquet'", 'forbidden'],
    ["attach '/tmp/akashi.db' as other", 'forbidden'],
    ['install httpfs', 'forbidden'],
    ['load httpfs', 'forbidden'],
    ["set memory_limit = '100GB'", 'forbidden'],
    ['create table t as select 1', 'forbidden'],
    ['pragma version', 'forbidden'],
    ["export database '/tmp/akashi-export'", 'forbidden'],
    ["select * from read_csv('/etc/passwd')", 'forbidden'],
    ["select * from read_text('/etc/passwd')", 'forbidden'],
    ["select * from read_blob('/proc/self/environ')", 'forbidden'],
    ["select * from glob('/etc/*')", 'forbidden'],
    ["select * from sniff_csv('/etc/passwd')", 'forbidden'],
    ["select * from read_parquet('https://example.com/x.parquet')", 'forbidden'],
    ["select * from parquet_metadata('/tmp/x.parquet')", 'forbidden'],
    ["select * from '/etc/passwd'", 'invalid_input'],
    ['select * from akashi_auth.users', 'invalid_input'],
    ['select * from information_schema.tables', 'invalid_input'],
    ['select 1; select 2', 'invalid_input'],
    ['', 'invalid_input'],
    ['selec 1', 'invalid_input'],
    ['select nothing from security_events', 'invalid_input'],
    ['select count(*) from security_event', 'invalid_input'],
  ])('%s', async (sql, code) => {
    await expect(query(sql)).rejects.toMatchObject({ code })
  })

  test('its process has no environment, and cannot write a file', async () => {
    await query('select 1')
    const { stdout } = spawnSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
    const [pid] = stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, parent, ...command]) =>
          parent === String(process.pid) && command.join(' ').includes('engine-child'),
      )
      .map(([own]) => own)
    const { stdout: limits } = spawnSync('cat', [`/proc/${pid}/limits`], { encoding: 'utf8' })
    expect(limits).toMatch(/Max file size +0 +0/)
    const { stdout: environment } = spawnSync('cat', [`/proc/${pid}/environ`], { encoding: 'utf8' })
    expect(environment).not.toContain('PATH=')
  })
})

describe('limits', () => {
  test('rows', async () => {
    const found = await query('select id from security_events', { rows: 7 })
    expect([found.rows.length, found.truncated]).toEqual([7, true])
    expect((await query('select 1 from range(7)', { rows: 7 })).truncated).toBe(false)
  })

  test('time: the process is killed, and the next query has another', async () => {
    await expect(
      query('select count(*) from range(1000000000) a, range(1000000) b', { timeoutMs: 1_500 }),
    ).rejects.toMatchObject({ code: 'timeout' })
    expect((await query('select 1')).rows).toEqual([[1]])
  })

  test('memory', async () => {
    await expect(
      query('select md5(i::varchar) as h, count(*) from range(3000000) t(i) group by 1 order by 1', {
        memory: '20MB',
      }),
    ).rejects.toMatchObject({ code: 'too_large' })
  })

  test('the answer', async () => {
    await expect(query("select repeat('x', 100000) from range(1000)")).rejects.toMatchObject({
      code: 'too_large',
    })
  })

  test('cancelled by the caller', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 500)
    await expect(
      query('select count(*) from range(1000000000) a, range(1000000) b', { signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'cancelled' })
  })
})

test('a read is recorded with statement and reason before anything is returned', async () => {
  await query("select count(*) from security_events where source_ip = '10.0.0.9'", { reason: 'case 17' })
  const rows = await database.asSuperuser(async (session) => {
    const found = await session.query<{ resource: string; detail: unknown; classification: string }>(
      `select resource, detail, data_classification as classification from akashi_audit.audit_logs
       where event_type = 'data_access' and action = 'query' and detail ->> 'reason' = 'case 17'`,
    )
    return found.rows
  })
  expect(rows).toEqual([
    {
      resource: 'akashi_security.security_events',
      classification: 'confidential',
      detail: { sql: "select count(*) from security_events where source_ip = '10.0.0.9'", reason: 'case 17' },
    },
  ])
})

/** The store, but for how it gives objects back. */
function storeWith(
  get: ObjectStore['get'],
  thaw?: (key: string) => Promise<'readable' | 'thawing'>,
): ObjectStore {
  const { store } = cold
  return {
    location: store.location,
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    listFolders: (folder, options) => store.listFolders(folder, options),
    put: (key, body, options) => store.put(key, body, options),
    delete: (key) => store.delete(key),
    get,
    ...(thaw === undefined ? {} : { thaw }),
  }
}

async function withQueries<T>(store: ObjectStore, work: (other: Queries) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-query-test-'))
  const other = openQueries({ database: database.open('security_admin'), store, folder })
  try {
    return await work(other)
  } finally {
    other.close()
    await rm(folder, { recursive: true, force: true })
  }
}

const count = { sql: 'select count(*) from security_events' }

test('objects are fetched once', async () => {
  let fetched = 0
  const store = storeWith((key, options) => {
    if (key.endsWith('.parquet')) fetched += 1
    return cold.store.get(key, options)
  })
  await withQueries(store, async (other) => {
    await Promise.all([other.run(tester, count), other.run(tester, count)])
    await other.run(tester, { sql: "select count(*) from security_events where year = '2025'" })
  })
  expect(fetched).toBe(FILES.length)
})

test('an object that is not what was put is refused', async () => {
  const store = storeWith(async (key, options) =>
    key.endsWith('.parquet')
      ? Readable.from([Buffer.from('PAR1 something else PAR1')])
      : cold.store.get(key, options),
  )
  await withQueries(store, (other) =>
    expect(other.run(tester, count)).rejects.toMatchObject({ code: 'integrity' }),
  )
})

test('frozen objects are named; once they are thawed the query goes on', async () => {
  const frozen = new Set<string>()
  let fetched = 0
  const store = storeWith(
    async (key, options) => {
      if (frozen.has(key) || (key.includes('year=2024') && key.endsWith('.parquet') && frozen.size === 0)) {
        frozen.add(key)
        throw new AkashiError('unavailable', `${key} is frozen`, { detail: { frozen: true } })
      }
      if (key.endsWith('.parquet')) fetched += 1
      return await cold.store.get(key, options)
    },
    async (key) => {
      frozen.delete(key)
      return 'thawing'
    },
  )
  await withQueries(store, async (other) => {
    const error = await other.run(tester, count).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'conflict', detail: { frozen: [...frozen] } })
    expect(fetched).toBe(FILES.length - 1)
    const [key = ''] = frozen
    frozen.add('kept frozen')
    expect(await other.thaw([key])).toEqual([key])
    expect((await other.run(tester, count)).rows).toEqual([[1_565]])
    expect(fetched).toBe(FILES.length)
  })
})

test('files from before a column was added have NULL in it', async () => {
  await database.asSuperuser((session) =>
    session.query('alter table akashi_security.security_events add column region text'),
  )
  expect((await query('select count(*), count(region) from security_events')).rows).toEqual([[1_565, 0]])
  const found = await query("select region, day from security_events where year = '2025' limit 1")
  expect(found.rows).toEqual([[null, '02']])
})
