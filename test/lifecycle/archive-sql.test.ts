/** The SQL interface of the archive, as used in the requirements. */
import { expect, test } from 'vitest'
import { runArchive, setPolicy } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, storedObjects, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const

async function ask(sql: string): Promise<Record<string, unknown>[]> {
  return await admin.transaction(
    tester,
    async (session) => (await session.query<Record<string, unknown>>(sql)).rows,
  )
}

test('process_archived_partitions returns a row for each partition, and asks the worker unless it is dry', async () => {
  await insertEvents(worker, '2025-09-05', 10)
  await ledger.seal()
  const requested = 'select count(requested_at)::integer as jobs from akashi_lifecycle.jobs'
  expect(await ask('select * from akashi_archive.process_archived_partitions(p_dry_run := true)')).toEqual([
    {
      table_name: 'security_events_p20250905',
      row_count: expect.anything(),
      exported: false,
      dropped: false,
      message: expect.stringMatching(
        /^Would process: akashi_security\.security_events_p20250905 \(about -?\d+ rows\)$/,
      ),
    },
  ])
  expect(await ask(requested)).toEqual([{ jobs: 0 }])
  const [queued] = await ask('select * from akashi_archive.process_archived_partitions()')
  expect(queued).toMatchObject({ message: expect.stringMatching(/^Queued: /), dropped: false })
  expect(await ask(requested)).toEqual([{ jobs: 2 }])
})

test('get_archive_status has the size in PostgreSQL and the object of each partition', async () => {
  await runArchive(worker, tester, cold.store, { table: events, only: 'export' })
  const [exported] = await ask('select * from akashi_archive.get_archive_status()')
  expect(exported).toMatchObject({
    table_name: 'akashi_security.security_events',
    partition_name: 'security_events_p20250905',
    state: 'verified',
    size: expect.stringMatching(/kB$/),
    object: expect.stringMatching(
      /^archive\/akashi_security\/security_events\/year=2025\/month=09\/day=05\/_security_events_p20250905\.0\.[0-9a-f]{16}\.json$/,
    ),
    message: null,
  })
  await runArchive(worker, tester, cold.store, { table: events })
  expect(await ask('select state, size from akashi_archive.get_archive_status()')).toEqual([
    { state: 'dropped', size: '0 bytes' },
  ])
})

test('a CSV copy stands beside the Parquet object, on request', async () => {
  await setPolicy(worker, tester, events, { format: 'parquet+csv' })
  await insertEvents(worker, '2025-01-02', 7)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, { table: events })
  const keys: string[] = []
  for await (const { key } of cold.store.list('archive-csv/')) keys.push(key)
  const parquet = (await storedObjects(cold.store)).filter((key) => /day=02\/[^_].*parquet$/.test(key))
  expect(keys).toEqual(
    parquet.map((key) => key.replace('archive/', 'archive-csv/').replace('.parquet', '.csv')),
  )
  const chunks: Buffer[] = []
  for await (const chunk of await cold.store.get(keys[0] ?? '')) chunks.push(Buffer.from(chunk as Uint8Array))
  const text = Buffer.concat(chunks).toString()
  expect(text.match(/^"[0-9a-f-]{36}",/gm)).toHaveLength(7)
})

test('others may not ask', async () => {
  const app = database.open('app')
  await expect(
    app.transaction(tester, (session) =>
      session.query('select * from akashi_archive.process_archived_partitions(true)'),
    ),
  ).rejects.toMatchObject({ code: 'forbidden' })
})
