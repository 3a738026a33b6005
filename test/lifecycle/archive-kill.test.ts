/** An archiver killed at every step: what is in PostgreSQL and what is in the store are together what was inserted. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { archivedRows, archiveStatus, runArchive, verifyArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, namedObjects, storedObjects, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const
const child = fileURLToPath(new URL('support/archiver-child.ts', import.meta.url))

const steps = [
  'planned',
  'copied',
  'stored',
  'compared',
  'published',
  'recorded',
  'checked',
  'detached',
  'matched',
  'dropped',
] as const
/** Steps that come once for each part. */
const repeated: readonly string[] = ['copied', 'stored', 'compared']

/** Each step is met at its first and, where it comes for each part, at a later time. */
const cases = steps.flatMap((step) =>
  (repeated.includes(step) || process.env['AKASHI_LONG'] === '1' ? [1, 2] : [1]).map((nth) => ({
    step,
    nth,
  })),
)

/** Milliseconds: each case starts a process and verifies the whole ledger twice. */
const CASE_TIMEOUT_MS = 120_000

let day = 0

async function runToEnd(): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    // The server learns a moment later that the killed process is gone, and holds its lock until then.
    const rows = await runArchive(worker, tester, cold.store, { table: events, partRows: 100 })
    expect(rows.filter(({ action }) => action === 'failed')).toEqual([])
    if (!rows.some(({ action }) => action === 'busy')) return
  }
  throw new Error('the lock of the killed process was never let go')
}

test.each(cases)(
  'killed at $step ($nth): nothing is lost or doubled, and the next run goes on',
  async ({ step, nth }) => {
    day += 1
    const date = `2016-03-${String(day).padStart(2, '0')}`
    const count = 150 + 37 * nth
    await insertEvents(worker, date, count)
    await ledger.seal()
    const time = repeated.includes(step) ? nth : 1
    const args = [child, database.url('worker'), cold.folder, step, String(time), '100']
    const archiver = spawn(process.execPath, args, { stdio: 'inherit' })
    const [, signal]: unknown[] = await once(archiver, 'exit')
    expect(signal).toBe('SIGKILL')
    // Between: every row is where verification finds it.
    expect(await ledger.problems({ archived: archivedRows(worker, tester, cold.store) })).toEqual([])
    await runToEnd()
    const report = await ledger.verify({ archived: archivedRows(worker, tester, cold.store) })
    expect(report.logs.flatMap(({ problems }) => problems)).toEqual([])
    const own = (await archiveStatus(worker, tester, { table: events })).filter(({ from }) =>
      from.startsWith(date),
    )
    expect(own).toMatchObject([{ state: 'dropped', rows: count, generation: 0 }])
    expect(await storedObjects(cold.store)).toEqual(await namedObjects(worker, cold.store))
  },
  CASE_TIMEOUT_MS,
)

test('everything that was stored is still what its manifests say', async () => {
  const checks = await verifyArchive(worker, tester, cold.store)
  expect(checks).toHaveLength(cases.length)
  expect(checks.filter(({ ok }) => !ok)).toEqual([])
})
