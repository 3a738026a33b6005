/** What goes wrong between export and drop: the table is kept, and the reason is named. */
import { createHash } from 'node:crypto'
import { readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { writeHashed } from '../../src/lifecycle/archive/parts.ts'
import { type ArchiveRow, archivedRows, archiveStatus, runArchive } from '../../src/lifecycle/index.ts'
import type { ObjectStore } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, namedObjects, storedObjects, tamper, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const

const ROWS = 200

async function prepared(date: string): Promise<string> {
  await insertEvents(worker, date, ROWS)
  await ledger.seal()
  return `security_events_p${date.replaceAll('-', '')}`
}

async function archive(store: ObjectStore = cold.store, options = {}): Promise<ArchiveRow[]> {
  return await runArchive(worker, tester, store, { table: events, sealWaitMs: 0, ...options })
}

const rowOf = (rows: readonly ArchiveRow[], partition: string) =>
  rows.find((row) => row.partition === partition)

async function countIn(relation: string): Promise<number> {
  return await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ count: number }>(
      `select count(*)::integer as count from ${relation}`,
    )
    return rows[0]?.count ?? -1
  })
}

/** A store whose answers differ from what it was given. */
function corrupting(store: ObjectStore, change: (bytes: Buffer) => Buffer): ObjectStore {
  return {
    location: store.location,
    put: (key, body, options) => store.put(key, body, options),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    listFolders: (folder, options) => store.listFolders(folder, options),
    delete: (key) => store.delete(key),
    get: async (key, options) => {
      const chunks: Buffer[] = []
      for await (const chunk of await store.get(key, options)) chunks.push(Buffer.from(chunk as Uint8Array))
      const bytes = Buffer.concat(chunks)
      return Readable.from([key.endsWith('.parquet') ? change(bytes) : bytes])
    },
  }
}

const flip = (bytes: Buffer): Buffer => {
  const at = bytes.length >> 1
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return bytes
}

test.each<[string, string, (bytes: Buffer) => Buffer]>([
  ['flips a bit', '2016-01-01', flip],
  ['cuts the end off', '2016-01-02', (bytes) => bytes.subarray(0, bytes.length - 10)],
  ['answers nothing', '2016-01-03', () => Buffer.alloc(0)],
])('nothing is published into a store that %s', async (_, date, change) => {
  const partition = await prepared(date)
  const row = rowOf(await archive(corrupting(cold.store, change)), partition)
  expect(row).toMatchObject({ action: 'failed', exported: false, dropped: false })
  expect(row?.message).toMatch(/differs from what was stored/)
  expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS)
  const [record] = (await archiveStatus(worker, tester)).filter((each) => each.partition === partition)
  expect(record).toMatchObject({
    state: 'exporting',
    message: expect.stringMatching(/differs from what was stored/),
  })
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped', rows: ROWS })
  expect(await storedObjects(cold.store)).toEqual(await namedObjects(worker, cold.store))
})

test('a bit that flips after the export keeps the table', async () => {
  const partition = await prepared('2016-01-04')
  await archive(cold.store, { only: 'export' })
  const row = rowOf(await archive(corrupting(cold.store, flip)), partition)
  expect(row).toMatchObject({ action: 'failed', dropped: false })
  expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('a file that was cut on the disk keeps the table', async () => {
  const partition = await prepared('2016-01-05')
  await archive(cold.store, { only: 'export' })
  const link = (await storedObjects(cold.store)).find((key) => key.includes(`/${partition}.0.`))
  const path = await realpath(join(cold.folder, 'objects', link ?? ''))
  const whole = await readFile(path)
  await writeFile(path, whole.subarray(0, 100))
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'failed', dropped: false })
  expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS)
  await writeFile(path, whole)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('a manifest that was exchanged keeps the table', async () => {
  const partition = await prepared('2016-01-06')
  await archive(cold.store, { only: 'export' })
  const [record] = (await archiveStatus(worker, tester)).filter((each) => each.partition === partition)
  const key = record?.manifest ?? ''
  const chunks: Buffer[] = []
  for await (const chunk of await cold.store.get(key)) chunks.push(Buffer.from(chunk as Uint8Array))
  const whole = Buffer.concat(chunks)
  await cold.store.put(key, Buffer.from(whole.toString().replace('"rows": 200', '"rows": 199')))
  const row = rowOf(await archive(), partition)
  expect(row?.message).toMatch(/is not the manifest that was published/)
  await cold.store.put(key, whole)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test.each<[string, string, (table: string) => string, (table: string) => string]>([
  [
    'a value that became NULL',
    '2016-02-01',
    (t) => `update ${t} set user_name = null where event_details ->> 'i' = '17'`,
    (t) => `update ${t} set user_name = 'user3' where event_details ->> 'i' = '17'`,
  ],
  [
    'two rows that changed places',
    '2016-02-02',
    (t) =>
      `update ${t} set description = case event_details ->> 'i' when '3' then 'event4' else 'event3' end where event_details ->> 'i' in ('3', '4')`,
    (t) =>
      `update ${t} set description = 'event' || (event_details ->> 'i') where event_details ->> 'i' in ('3', '4')`,
  ],
  [
    'an empty string that became NULL',
    '2016-02-03',
    (t) => `update ${t} set description = null where event_details ->> 'i' = '5'`,
    (t) => `update ${t} set description = '' where event_details ->> 'i' = '5'`,
  ],
])('%s in the table after the export keeps it', async (_, date, change, undo) => {
  const partition = await prepared(date)
  await archive(cold.store, { only: 'export' })
  await tamper(database, `akashi_security.${partition}`, change(`akashi_security.${partition}`))
  const row = rowOf(await archive(), partition)
  expect(row).toMatchObject({ action: 'failed', dropped: false })
  expect(row?.message).toMatch(/differ from the exported ones/)
  expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS)
  await tamper(database, `akashi_security.${partition}`, undo(`akashi_security.${partition}`))
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('a row that was removed before the export is missed by the ledger', async () => {
  const partition = await prepared('2016-02-04')
  const relation = `akashi_security.${partition}`
  await database.asSuperuser((session) =>
    session.query(`create table public.kept as select * from ${relation} where event_details ->> 'i' = '9'`),
  )
  await tamper(database, relation, `delete from ${relation} where event_details ->> 'i' = '9'`)
  const row = rowOf(await archive(), partition)
  expect(row?.message).toMatch(/the ledger has 200 rows of .*, the table has 199/)
  await database.asSuperuser((session) =>
    session.query(`insert into ${relation} select * from public.kept; drop table public.kept`),
  )
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('a late row written straight into the partition is exported before it leaves', async () => {
  const partition = await prepared('2016-02-05')
  await archive(cold.store, { only: 'export' })
  await database.asSuperuser((session) =>
    session.query(
      `insert into akashi_security.${partition} (created_at, event_type, event_category, severity, source_service)
       values ('2016-02-05T23:00:00Z', 'late', 'system', 'info', 'test')`,
    ),
  )
  expect(rowOf(await archive(cold.store, { only: 'expire' }), partition)).toMatchObject({ action: 'failed' })
  expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS + 1)
  await ledger.seal()
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped', rows: ROWS + 1 })
})

test('a detached table takes no row, and one forced into it keeps it from being dropped', async () => {
  const partition = await prepared('2016-02-06')
  const relation = `akashi_archive.${partition}`
  let refused: unknown
  const stop = new AbortController()
  await archive(cold.store, {
    signal: stop.signal,
    onStep: async (step: string) => {
      if (step !== 'detached') return
      const insert = `insert into ${relation} (created_at, event_type, event_category, severity, source_service)
        values ('2016-02-06T23:00:00Z', 'forced', 'system', 'info', 'test')`
      refused = await database
        .asSuperuser((session) => session.query(insert))
        .catch((error: unknown) => error)
      await database.asSuperuser((session) =>
        session.query(`begin; alter table ${relation} disable trigger refuse_insert; ${insert};
          alter table ${relation} enable always trigger refuse_insert; commit`),
      )
    },
  })
  expect(refused).toMatchObject({ code: 'append_only' })
  // It is back where everybody sees it, with the reason.
  const attached = `akashi_security.${partition}`
  expect(await countIn(attached)).toBe(ROWS + 1)
  const [record] = (await archiveStatus(worker, tester)).filter((each) => each.partition === partition)
  expect(record).toMatchObject({
    state: 'verified',
    message: expect.stringMatching(/differ from the exported ones/),
  })
  await tamper(database, attached, `delete from ${attached} where event_type = 'forced'`)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped', rows: ROWS })
})

test('a worker that row security filters exports nothing', async () => {
  const partition = await prepared('2016-02-07')
  const policy = (using: string) =>
    database.asSuperuser((session) =>
      session.query(`alter policy security_events_staff on akashi_security.security_events using (${using})`),
    )
  await policy("severity <> 'low'")
  const row = rowOf(await archive(), partition)
  expect(row).toMatchObject({ action: 'failed', exported: false })
  expect(row?.message).toMatch(/row security may hide rows/)
  await policy('true')
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('a full disk is said to be one, and the table is kept', async () => {
  const partition = await prepared('2016-02-08')
  const full: ObjectStore = {
    ...corrupting(cold.store, (bytes) => bytes),
    put: (key, body, options) => {
      if (!key.endsWith('.parquet')) return cold.store.put(key, body, options)
      if (body instanceof Readable) body.destroy()
      return Promise.reject(new AkashiError('unavailable', 'the object store is full'))
    },
  }
  expect(rowOf(await archive(full), partition)).toMatchObject({
    action: 'failed',
    message: 'Error: the object store is full',
  })
  expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('a full disk under the temporary files is said to be one, and the table is kept', async () => {
  const partition = await prepared('2016-02-12')
  await archive(cold.store, { only: 'export' })
  const full: ObjectStore = {
    ...corrupting(cold.store, (bytes) => bytes),
    get: async (key, options) =>
      key.endsWith('.parquet')
        ? Readable.from(
            (function* () {
              yield Buffer.from('PAR1')
              throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
            })(),
          )
        : await cold.store.get(key, options),
  }
  expect(rowOf(await archive(full), partition)).toMatchObject({
    action: 'failed',
    message: 'Error: the disk for temporary files is full',
  })
  expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test.runIf(process.platform === 'linux')(
  'a COPY whose file does not fit ends, and its connection goes on',
  async () => {
    await worker.direct(async (session) => {
      const copied = session.transaction(tester, (inner) =>
        writeHashed(
          inner.copyTo(`copy (select repeat('x', 1000) from generate_series(1, 20000)) to stdout`),
          '/dev/full',
          createHash('sha256'),
        ),
      )
      await expect(copied).rejects.toThrow('the disk for temporary files is full')
      expect((await session.query<{ one: number }>('select 1 as one')).rows).toEqual([{ one: 1 }])
    })
  },
)

test('wrong credentials of the store are said to be so, before and after the export, and the table is kept', async () => {
  const partition = await prepared('2016-02-13')
  const denied = () => Promise.reject(new AkashiError('forbidden', 'the store refuses these credentials'))
  const refusing: ObjectStore = {
    ...corrupting(cold.store, (bytes) => bytes),
    put: (_, body) => {
      if (body instanceof Readable) body.destroy()
      return denied()
    },
    get: denied,
    head: denied,
  }
  for (const only of ['export', undefined] as const) {
    const row = rowOf(await archive(refusing, only === undefined ? {} : { only }), partition)
    expect(row).toMatchObject({ action: 'failed', message: 'Error: the store refuses these credentials' })
    expect(await countIn(`akashi_security.${partition}`)).toBe(ROWS)
    if (only !== undefined) await archive(cold.store, { only })
  }
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('the store is told what every object hashes to', async () => {
  const partition = await prepared('2016-02-14')
  const told: (string | undefined)[] = []
  const listening: ObjectStore = {
    ...corrupting(cold.store, (bytes) => bytes),
    put: (key, body, options) => {
      told.push(options?.sha256)
      return cold.store.put(key, body, options)
    },
  }
  expect(rowOf(await archive(listening), partition)).toMatchObject({ action: 'dropped' })
  expect(told).toHaveLength(2)
  expect(told).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)])
})

test('a legal hold keeps what is expired', async () => {
  const partition = await prepared('2016-02-09')
  const hold = (held: boolean) =>
    worker.transaction(tester, (session) =>
      session.query("select akashi_lifecycle.hold('akashi_security', 'security_events', $1, 'case 7')", [
        held,
      ]),
    )
  await hold(true)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'exported' })
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'held' })
  await hold(false)
  expect(rowOf(await archive(), partition)).toMatchObject({ action: 'dropped' })
})

test('one failing partition stops no other', async () => {
  const bad = await prepared('2016-02-10')
  const good = await prepared('2016-02-11')
  await archive(cold.store, { only: 'export' })
  await tamper(
    database,
    `akashi_security.${bad}`,
    `update akashi_security.${bad} set severity = 'high' where event_details ->> 'i' = '1'`,
  )
  const rows = await archive()
  expect([rowOf(rows, bad)?.action, rowOf(rows, good)?.action]).toEqual(['failed', 'dropped'])
  await tamper(
    database,
    `akashi_security.${bad}`,
    `update akashi_security.${bad} set severity = 'low' where event_details ->> 'i' = '1'`,
  )
  await archive()
})

test('eight racing archivers make one manifest and one drop', async () => {
  const partition = await prepared('2016-03-01')
  const runs = await Promise.all(Array.from({ length: 8 }, () => archive()))
  const own = runs.flatMap((rows) => rows.filter((row) => row.partition === partition))
  expect(own.filter(({ action }) => action === 'failed')).toEqual([])
  expect(own.filter(({ dropped }) => dropped)).toHaveLength(1)
  expect((await archiveStatus(worker, tester)).filter((each) => each.partition === partition)).toHaveLength(1)
  expect(await storedObjects(cold.store)).toEqual(await namedObjects(worker, cold.store))
})

test('a long reader and writers see no failure and no missing row while a partition waits to leave', async () => {
  const partition = await prepared('2016-03-02')
  const READ_MS = process.env['AKASHI_LONG'] === undefined ? 2_000 : 60_000
  let running = true
  const failures: unknown[] = []
  const seen = new Set<number>()
  let stored = 0
  const application = database.open('worker')
  const writer = (async () => {
    while (running) {
      await application
        .transaction(tester, (session) =>
          session.query(
            `insert into akashi_security.security_events (event_type, event_category, severity, source_service) values ('beside', 'system', 'info', 'test')`,
          ),
        )
        .then(
          () => (stored += 1),
          (error: unknown) => failures.push(error),
        )
    }
  })()
  const reading = Promise.withResolvers<void>()
  const reader = worker.transaction(tester, async (session) => {
    const started = performance.now()
    while (performance.now() - started < READ_MS) {
      const { rows } = await session.query<{ count: number }>(
        `select count(*)::integer as count from akashi_security.security_events
         where created_at >= '2016-03-02' and created_at < '2016-03-03'`,
      )
      seen.add(rows[0]?.count ?? -1)
      reading.resolve()
      await sleep(100)
    }
  })
  await reading.promise
  const rows = await archive()
  await reader
  running = false
  await writer
  expect(failures).toEqual([])
  expect(stored).toBeGreaterThan(0)
  expect([...seen]).toEqual([ROWS])
  expect(rowOf(rows, partition)).toMatchObject({ action: 'dropped' })
}, 300_000)

test('after all of it the ledger finds every row, in PostgreSQL or in Parquet', async () => {
  await ledger.seal()
  expect(await ledger.problems({ archived: archivedRows(worker, tester, cold.store) })).toEqual([])
})
