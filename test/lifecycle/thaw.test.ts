import { expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { runArchive, thawArchive, verifyArchive } from '../../src/lifecycle/index.ts'
import type { ObjectStore } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, storedObjects, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const

/** A store whose Parquet objects are frozen; with `thaw`, each is readable when asked for a second time. */
function freezing(canThaw: boolean): ObjectStore & { readonly asked: string[] } {
  const { store } = cold
  const asked: string[] = []
  const frozen = (key: string) => key.endsWith('.parquet') && asked.filter((each) => each === key).length < 2
  return {
    asked,
    location: store.location,
    head: (key) => store.head(key),
    put: (key, body, options) => store.put(key, body, options),
    delete: (key) => store.delete(key),
    get: async (key, options) => {
      if (frozen(key)) throw new AkashiError('unavailable', `${key} is frozen`, { detail: { frozen: true } })
      return await store.get(key, options)
    },
    listFolders: (folder, options) => store.listFolders(folder, options),
    async *list(prefix, options) {
      for await (const head of store.list(prefix, options)) {
        yield frozen(head.key) ? { ...head, frozen: true as const } : head
      }
    },
    ...(canThaw
      ? {
          thaw: (key: string) => {
            asked.push(key)
            return Promise.resolve(frozen(key) ? ('thawing' as const) : ('readable' as const))
          },
        }
      : {}),
  }
}

test('frozen objects are named, asked for by period, and none is left once they can be read', async () => {
  await insertEvents(worker, '2016-12-10', 30)
  await insertEvents(worker, '2017-01-05', 20)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, { table: events })
  const objects = (await storedObjects(cold.store)).filter((key) => key.endsWith('.parquet'))
  const store = freezing(true)
  const named = await thawArchive(worker, tester, store, { dryRun: true })
  expect(named.map(({ object, state }) => [object, state])).toEqual(objects.map((key) => [key, 'frozen']))
  expect(store.asked).toEqual([])
  const checks = await verifyArchive(worker, tester, store)
  expect(checks.map(({ ok, message }) => [ok, message])).toEqual(
    objects.map((key) => [false, `${key} is frozen`]),
  )
  const period = { table: events, from: new Date('2017-01-01'), to: new Date('2017-02-01') }
  expect(await thawArchive(worker, tester, store, period)).toEqual([
    { object: objects[1], bytes: expect.any(Number), state: 'thawing' },
  ])
  expect(await thawArchive(worker, tester, store, period)).toEqual([])
  expect((await verifyArchive(worker, tester, store)).map(({ ok }) => ok)).toEqual([false, true])
})

test('a store that cannot thaw says so, and names the object', async () => {
  await expect(thawArchive(worker, tester, freezing(false))).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringMatching(/cannot thaw archive\/akashi_security/),
  })
  expect(await thawArchive(worker, tester, cold.store)).toEqual([])
})
