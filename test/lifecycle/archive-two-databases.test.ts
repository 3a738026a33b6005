/** Two databases on one store: neither writes, replaces or removes an object that the other's manifests name. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  archiveStatus,
  retireExpired,
  runArchive,
  setPolicy,
  verifyArchive,
} from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, namedObjects, storedObjects, testStore } from './support/archive.ts'

const events = { schema: 'akashi_security', table: 'security_events' } as const
const cold = testStore()
const [first, second] = [testDatabase(), testDatabase()].map((database) => {
  const worker = database.open('worker')
  return { database, worker, ledger: testLedger(worker) }
}) as [Side, Side]

interface Side {
  readonly database: ReturnType<typeof testDatabase>
  readonly worker: ReturnType<ReturnType<typeof testDatabase>['open']>
  readonly ledger: ReturnType<typeof testLedger>
}

async function contents(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const key of await storedObjects(cold.store)) {
    const hash = createHash('sha256')
    for await (const chunk of await cold.store.get(key)) hash.update(chunk as Uint8Array)
    found.set(key, hash.digest('hex'))
  }
  return found
}

async function archive({ worker }: Side, options = {}) {
  return await runArchive(worker, tester, cold.store, { table: events, partRows: 50, ...options })
}

const intact = async ({ worker }: Side) =>
  (await verifyArchive(worker, tester, cold.store)).filter(({ ok }) => !ok)

describe('the same period in two databases', () => {
  test('both are archived, dropped and stay what they were', async () => {
    for (const side of [first, second]) {
      await insertEvents(side.worker, '2016-01-01', 120)
      await side.ledger.seal()
    }
    expect(await archive(first)).toMatchObject([{ action: 'dropped', rows: 120 }])
    const before = await contents()
    expect(await archive(second)).toMatchObject([{ action: 'dropped', rows: 120 }])
    const after = await contents()
    for (const [key, hash] of before) expect(after.get(key)).toBe(hash)
    expect(after.size).toBe(2 * before.size)
    expect([await intact(first), await intact(second)]).toEqual([[], []])
  })

  test('a run that was stopped removes only its own leftovers', async () => {
    for (const side of [first, second]) {
      await insertEvents(side.worker, '2016-01-02', 120)
      await side.ledger.seal()
    }
    const stop = new Error('stopped')
    const stopped = (side: Side) =>
      archive(side, {
        onStep: (step: string) => {
          if (step === 'stored') throw stop
        },
      })
    await expect(stopped(first)).rejects.toBe(stop)
    await expect(stopped(second)).rejects.toBe(stop)
    expect(await archive(second)).toMatchObject([{ action: 'dropped' }])
    expect(await archive(first)).toMatchObject([{ action: 'dropped' }])
    const named = [
      ...(await namedObjects(first.worker, cold.store)),
      ...(await namedObjects(second.worker, cold.store)),
    ]
    expect(await storedObjects(cold.store)).toEqual(named.sort())
  })

  test('the end of the retention of one deletes nothing of the other', async () => {
    await setPolicy(first.worker, tester, events, { total: '400 days' }, 'test')
    const rows = await retireExpired(first.worker, tester, cold.store, first.ledger.keyring, {
      table: events,
    })
    expect(rows.map(({ action, message }) => [action, message])).toEqual([
      ['retired', 'Deleted (120 rows)'],
      ['retired', 'Deleted (120 rows)'],
    ])
    expect(await intact(second)).toEqual([])
    expect(await storedObjects(cold.store)).toEqual(await namedObjects(second.worker, cold.store))
  })
})

test('an export that another database had begun, as a restored copy finds it, is begun anew under other keys', async () => {
  await insertEvents(first.worker, '2016-01-03', 10)
  await first.ledger.seal()
  const stop = new Error('stopped')
  await expect(
    archive(first, {
      onStep: (step: string) => {
        if (step === 'published') throw stop
      },
    }),
  ).rejects.toBe(stop)
  const before = await contents()
  // What a restored copy has in common with its origin ends here: its log goes on under another origin.
  await first.database.asSuperuser((session) =>
    session.query(
      `update akashi_lifecycle.settings set value = '"akashi.local/copy"' where key = 'ledger.origin'`,
    ),
  )
  expect(await archive(first)).toMatchObject([{ action: 'dropped', rows: 10 }])
  const after = await contents()
  for (const [key, hash] of before) expect(after.get(key)).toBe(hash)
  const [record] = (await archiveStatus(first.worker, tester)).filter(({ from }) =>
    from.startsWith('2016-01-03'),
  )
  expect(before.has(record?.manifest ?? '')).toBe(false)
  expect(await intact(first)).toEqual([])
})
