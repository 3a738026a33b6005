/** A restore, or the way back of a detached partition, killed at every step: all rows are there or none, and the next run goes on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { archiveStatus, holdTable, restorePartition, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testStore } from './support/archive.ts'
import { shopOf } from './support/shop.ts'

const database = testDatabase()
const worker = database.open('worker')
const cold = testStore()
const shop = shopOf(database, () => worker)
const child = fileURLToPath(new URL('support/restorer-child.ts', import.meta.url))
const PARTITION = 'orders_2024_01'
const ROWS = 120
let table: { readonly schema: string; readonly table: string }

beforeAll(async () => {
  table = await shop.makeTable('orders', 'id bigint, v text')
  await shop.asOwner(
    `insert into shop.orders select '2024-01-10', i, 'v' || i from generate_series(1, ${ROWS}) i`,
  )
})

const archive = (options: Partial<Parameters<typeof runArchive>[3]> = {}) =>
  runArchive(worker, tester, cold.store, { table, partRows: 50, ...options })
const january = async () =>
  (await archiveStatus(worker, tester, { table })).find(({ partition }) => partition === PARTITION)?.state

test.each(['prepared', 'filled', 'compared', 'attached'])(
  'a restore killed at %s leaves nothing',
  async (step) => {
    await archive({ asOf: new Date('2200-01-01') })
    expect(await january()).toBe('dropped')
    const args = [child, database.url('owner'), cold.folder, 'shop', 'orders', PARTITION, step]
    const [, signal]: unknown[] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit')
    expect(signal).toBe('SIGKILL')
    // The server learns a moment later that the process is gone.
    await expect
      .poll(
        () =>
          restorePartition(database.open('owner'), tester, cold.store, {
            ...table,
            partition: PARTITION,
          }).then(
            ({ rows }) => rows,
            (error: unknown) => String(error),
          ),
        { timeout: 30_000, interval: 500 },
      )
      .toBe(ROWS)
    expect(await shop.rowsOf('shop.orders')).toHaveLength(ROWS)
  },
  120_000,
)

test('reattaching a detached partition completes after an interruption', async () => {
  const stopAt = (step: string) => ({
    asOf: new Date('2200-01-01'),
    onStep: (reached: string) => {
      if (reached === step) throw new Error('stopped')
    },
  })
  await expect(archive(stopAt('detached'))).rejects.toThrow('stopped')
  await holdTable(worker, tester, { ...table, held: true, reason: 'case 9' })
  await expect(archive(stopAt('reattached'))).rejects.toThrow('stopped')
  expect(await january()).toBe('verified')
  expect(await shop.rowsOf('shop.orders')).toHaveLength(ROWS)
  expect((await archive()).map(({ action }) => action)).toContain('held')
  await holdTable(worker, tester, { ...table, held: false, reason: 'case 9' })
})
