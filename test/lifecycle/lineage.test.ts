import { expect, test } from 'vitest'
import { lineageOf, restorePartition, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, storedObjects, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const

async function someRow(order: string): Promise<string> {
  return await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ id: string }>(
      `select id from akashi_security.security_events where created_at < '2020-01-01' order by xid ${order}, seq ${order} limit 1`,
    )
    return rows[0]?.id ?? ''
  })
}

test('a row is followed from the database to the store and back', async () => {
  await insertEvents(worker, '2017-02-03', 250)
  await ledger.seal()
  const first = await someRow('asc')
  const last = await someRow('desc')
  const where = (id: string) => lineageOf(worker, cold.store, tester, id)
  expect(await where(first)).toMatchObject({
    livesIn: 'database',
    partition: 'security_events_p20170203',
    position: '0',
    object: null,
    restores: [],
  })
  await runArchive(worker, tester, cold.store, { table: events, partRows: 100, only: 'export' })
  expect(await where(first)).toMatchObject({ livesIn: 'database and store', droppedAt: null })
  // Whole, so that a run which kept the partition says why.
  expect(await runArchive(worker, tester, cold.store, { table: events, partRows: 100 })).toMatchObject([
    { partition: 'security_events_p20170203', action: 'dropped', rows: 250 },
  ])
  const [gone, other] = [await where(first), await where(last)]
  expect(gone).toMatchObject({ livesIn: 'store', generation: 0, partition: 'security_events_p20170203' })
  expect(gone.droppedAt).not.toBeNull()
  const objects = (await storedObjects(cold.store)).filter((key) => key.endsWith('.parquet'))
  expect([gone.object?.key, other.object?.key]).toEqual([objects[0], objects[2]])
  const owner = database.open('owner')
  await restorePartition(owner, tester, cold.store, { ...events, partition: 'security_events_p20170203' })
  const back = await where(first)
  expect(back).toMatchObject({ livesIn: 'database and store', restores: [{ by: expect.any(String) }] })
})

test('a row that nobody sealed has no lineage', async () => {
  await expect(
    lineageOf(worker, cold.store, tester, '00000000-0000-7000-8000-000000000000'),
  ).rejects.toMatchObject({ code: 'not_found' })
})
