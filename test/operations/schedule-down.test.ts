import { expect, test, vi } from 'vitest'
import { jobHistory, lifecycleTasks, runNow, startWorker } from '../../src/operations/index.ts'
import { migrateDown, migrationStatus } from '../../src/postgres/index.ts'
import { MIGRATIONS, testDatabase, tester } from '../support/index.ts'
import { keepingLog } from './keeping-log.ts'

const VERSION = 5

const database = testDatabase()
const worker = database.open('worker')

test('the schedule goes down after it was used, but not with its history', async () => {
  const controller = new AbortController()
  const running = await startWorker({
    worker,
    directUrl: database.url('worker'),
    tasks: lifecycleTasks,
    log: keepingLog(),
    signal: controller.signal,
  })
  await runNow(worker, tester, 'partitions')
  await vi.waitFor(
    async () => expect(await jobHistory(worker, tester, 'partitions')).toMatchObject([{ state: 'done' }]),
    { timeout: 20_000 },
  )
  controller.abort()
  await running.done
  const options = { url: database.url('owner'), directory: MIGRATIONS }
  const { applied } = await migrationStatus(options)
  const steps = applied.filter((migration) => migration.version >= VERSION).length
  await expect(migrateDown({ ...options, steps })).rejects.toThrow('akashi_lifecycle.job_runs')
  await database.asSuperuser((session) => session.query('delete from akashi_lifecycle.job_runs'))
  // The later ones are down already: each is a transaction of its own.
  expect(await migrateDown({ ...options, steps: 1 })).toEqual(['000005_jobs'])
})
