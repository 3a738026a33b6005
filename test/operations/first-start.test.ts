import { expect, test } from 'vitest'
import { startWorker } from '../../src/operations/index.ts'
import { testDatabase } from '../support/index.ts'
import { keepingLog } from './keeping-log.ts'

const database = testDatabase()
const WORKERS = 6

test('workers that start at the same time prepare the queue once', async () => {
  const controller = new AbortController()
  const log = keepingLog()
  const workers = await Promise.all(
    Array.from({ length: WORKERS }, () =>
      startWorker({
        worker: database.open('worker', { poolSize: 2 }),
        directUrl: database.url('worker'),
        tasks: {},
        log,
        signal: controller.signal,
      }),
    ),
  )
  controller.abort()
  await Promise.all(workers.map((worker) => worker.done))
  expect(log.lines.filter((line) => line.startsWith('error'))).toEqual([])
  const { rows } = await database.asSuperuser((session) =>
    session.query(
      `select count(*)::integer as others from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'akashi_jobs' and c.relowner <> 'akashi_worker'::regrole`,
    ),
  )
  expect(rows).toEqual([{ others: 0 }])
})

test('a worker that cannot start says why', async () => {
  const url = new URL(database.url('worker'))
  url.password = 'wrong'
  const starting = startWorker({
    worker: database.open('worker', { url: url.href }),
    directUrl: url.href,
    tasks: {},
    log: keepingLog(),
    signal: new AbortController().signal,
  })
  await expect(starting).rejects.toMatchObject({ code: 'invalid_config' })
})
