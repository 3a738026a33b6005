import { expect, test } from 'vitest'
import { planArchive, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()

const events = { schema: 'security', table: 'security_events' } as const

test('a closed and expired partition is exported, compared, detached and dropped', async () => {
  await insertEvents(worker, '2016-12-10', 1_000)
  await ledger.seal()
  const plan = await planArchive(worker, { table: events })
  expect(plan).toMatchObject([{ partition: 'security_events_p20161210', action: 'drop', dropped: false }])
  const rows = await runArchive(worker, cold.store, { table: events })
  expect(rows).toEqual([
    {
      table: 'security.security_events',
      partition: 'security_events_p20161210',
      action: 'dropped',
      rows: 1_000,
      exported: true,
      dropped: true,
      object: 'archive/security/security_events/year=2016/month=12/day=10/_security_events_p20161210.0.json',
      message: 'Exported and dropped (1000 rows)',
    },
  ])
  expect(await runArchive(worker, cold.store, { table: events })).toEqual([])
})
