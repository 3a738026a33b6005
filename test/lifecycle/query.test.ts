import { afterAll, describe, expect, test } from 'vitest'
import { openQueries, type Queries, type QueryAnswer, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'security', table: 'security_events' } as const

let queries: Queries | undefined
afterAll(() => queries?.close())

function query(sql: string, options: { rows?: number } = {}): Promise<QueryAnswer> {
  queries ??= openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: `${cold.folder}-cache`,
  })
  return queries.run({}, { sql, ...options })
}

const today = new Date().toISOString().slice(0, 10)

test('cold, late and hot rows are found under one name', async () => {
  await insertEvents(worker, '2024-06-10', 1_000)
  await insertEvents(worker, '2024-06-11', 500)
  await ledger.seal()
  await runArchive(worker, cold.store, { table: events })
  await insertEvents(worker, '2024-06-11', 5, 'late')
  await insertEvents(worker, today, 20)
  const all = await query('select count(*) as n, count(distinct id) as ids from security_events')
  expect(all).toMatchObject({ columns: ['n', 'ids'], rows: [[1_525, 1_525]], hot: 25 })
  expect(all.files).toHaveLength(2)
})
