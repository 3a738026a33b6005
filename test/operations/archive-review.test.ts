/** The quarterly review of the archive reads a sample back, and finds what was damaged in it. */
import { readFile, writeFile } from 'node:fs/promises'
import { beforeAll, expect, test, vi } from 'vitest'
import { reviewArchive, runArchive } from '../../src/lifecycle/index.ts'
import { archiveTasks } from '../../src/operations/index.ts'
import { testKeyring } from '../identity/support.ts'
import { insertEvents, testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { keepingLog } from './keeping-log.ts'

const DAYS = ['2016-12-10', '2016-12-11', '2016-12-12', '2016-12-13'] as const
const ROWS = 5
const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const keys = testKeyring()
/** Keys of the objects that were read. */
let read: string[] = []

const review = () =>
  archiveTasks(cold.store, keys.keyring)['archive.review']?.({
    worker,
    actor: tester,
    signal: new AbortController().signal,
    log: keepingLog(),
    onProgress: () => undefined,
  })

beforeAll(async () => {
  for (const day of DAYS) await insertEvents(worker, day, ROWS)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, {})
  const get = cold.store.get.bind(cold.store)
  vi.spyOn(cold.store, 'get').mockImplementation((key, options) => {
    read.push(key)
    return get(key, options)
  })
})

test('everything is read where there is little, and its result is a row of the job', async () => {
  expect(await review()).toEqual({
    exports: DAYS.length,
    checked: DAYS.length,
    rows: DAYS.length * ROWS,
    tables: 1,
    frozen: 0,
  })
})

test('a sample has the oldest and the newest, and others by chance', async () => {
  const days = async () => {
    read = []
    const { checked } = await reviewArchive(worker, tester, cold.store, { perTable: 3 })
    expect(checked).toBe(3)
    return [...new Set(read.map((key) => /day=(\d\d)/.exec(key)?.[1]))].sort()
  }
  const seen = new Set<string>()
  for (let tries = 0; tries < 20 && seen.size < 2; tries += 1) {
    const [oldest, between, newest] = await days()
    expect([oldest, newest]).toEqual(['10', '13'])
    seen.add(between ?? '')
  }
  expect([...seen].sort()).toEqual(['11', '12'])
})

test('what was damaged fails the job, which names it', async () => {
  read = []
  await review()
  const parquet = read.find((key) => key.includes('day=10') && key.endsWith('.parquet')) ?? ''
  const file = `${cold.folder}/objects/${parquet}`
  const content = await readFile(file)
  content.writeUInt8(content.readUInt8(100) ^ 1, 100)
  await writeFile(file, content)
  await expect(review()).rejects.toMatchObject({
    code: 'integrity',
    message: expect.stringContaining('security_events_p20161210'),
    hint: expect.stringContaining('akashi archive verify'),
  })
})
