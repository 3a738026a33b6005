import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import {
  jobHistory,
  lifecycleTasks,
  listJobs,
  pauseJob,
  pruneJobRuns,
  runNow,
  startWorker,
  type Task,
  type Worker,
} from '../../src/operations/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { keepingLog } from './keeping-log.ts'

const NEVER = '0 0 1 1 *'
const PATIENCE = { timeout: 20_000, interval: 50 }

const database = testDatabase()
const worker = database.open('worker')
const stops: (() => Promise<void>)[] = []

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

async function start(
  tasks: Record<string, Task>,
): Promise<{ log: ReturnType<typeof keepingLog>; stop: () => Promise<void> }> {
  const log = keepingLog()
  const controller = new AbortController()
  const running: Worker = await startWorker({
    worker,
    directUrl: database.url('worker'),
    tasks,
    log,
    signal: controller.signal,
  })
  const stop = () => {
    controller.abort()
    return running.done
  }
  stops.push(stop)
  return { log, stop }
}

async function addJob(
  name: string,
  task: string,
  options: { schedule?: string; timeout?: string } = {},
): Promise<void> {
  await database.asSuperuser((session) =>
    session.query(
      `insert into akashi_lifecycle.jobs (name, schedule, task, description, timeout) values ($1, $2, $3, 'test', $4)`,
      [name, options.schedule ?? NEVER, task, options.timeout ?? '1 minute'],
    ),
  )
}

/** Waits for the nth run of a job to be over. */
async function finished(name: string, count = 1) {
  return await vi.waitFor(async () => {
    const runs = (await jobHistory(worker, tester, name)).filter((run) => run.state !== 'running')
    expect(runs.length).toBeGreaterThanOrEqual(count)
    return runs
  }, PATIENCE)
}

async function backdate(name: string, ago: string): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('alter table akashi_lifecycle.jobs disable trigger update_updated_at')
    await session.query(
      'update akashi_lifecycle.jobs set updated_at = now() - $2::interval where name = $1',
      [name, ago],
    )
    await session.query('alter table akashi_lifecycle.jobs enable trigger update_updated_at')
  })
}

test('the timetable of the migrations is there', async () => {
  const jobs = await listJobs(worker, tester)
  expect(Object.fromEntries(jobs.map((job) => [job.name, [job.schedule, job.task]]))).toEqual({
    'archive-expire': ['0 3 * * *', 'archive.expire'],
    'archive-export': ['0 2 * * *', 'archive.export'],
    'archive-retire': ['0 4 * * *', 'archive.retire'],
    'archive-review': ['0 11 2 1,4,7,10 *', 'archive.review'],
    'backup-audit-copy': ['0 6 * * 0', 'backup.audit_copy'],
    'backup-recovery-test': ['0 10 15 1,7 *', 'backup.recovery_test'],
    'backup-drill': ['0 8 1 * *', 'backup.drill'],
    'compliance-report': ['0 21 1 * *', 'report.monthly'],
    'check-structure': ['0 20 3 * *', 'database.check_structure'],
    'backup-watch': ['*/10 * * * *', 'backup.watch'],
    'chat-purge': ['10 4 * * *', 'chat.purge'],
    'backup-full': ['0 5 * * *', 'backup.full'],
    'backup-incremental': ['30 * * * *', 'backup.incremental'],
    'backup-prune': ['20 4 * * *', 'backup.prune'],
    'backup-rewrap': ['0 14 22 * *', 'backup.rewrap'],
    'backup-verify': ['0 14 22 * *', 'backup.verify'],
    'identity-purge': ['0 18 * * *', 'identity.purge'],
    'key-age': ['50 6 * * *', 'keys.check'],
    'rotate-keys': ['40 18 * * *', 'keys.rotate'],
    'reconcile-erasures': ['20 * * * *', 'keys.reconcile'],
    'partition-headroom': ['15 * * * *', 'partitions.check'],
    partitions: ['0 1 * * *', 'partitions.apply'],
    verify: ['0 7 * * 0', 'ledger.verify'],
    'verify-incremental': ['0 7 * * 1,2,3,4,5,6', 'ledger.verify_incremental'],
    'verify-scrub': ['25 * * * *', 'ledger.scrub'],
    'thin-checkpoints': ['50 3 * * *', 'ledger.thin'],
    'watch-ledger': ['* * * * *', 'ledger.watch'],
    'audit-losses': ['*/5 * * * *', 'audit.losses'],
    'index-closed-partitions': ['30 1 * * *', 'audit.index_closed'],
    'prune-job-runs': ['30 4 * * *', 'jobs.prune'],
    'publish-checkpoints': ['* * * * *', 'ledger.publish'],
    'access-review': ['0 9 1 1,4,7,10 *', 'identity.open_access_review'],
    analyze: ['10 3 * * *', 'maintenance.analyze'],
    vacuum: ['20 3 * * *', 'maintenance.vacuum'],
    reindex: ['40 3 5 * *', 'maintenance.reindex'],
    'prune-history': ['35 4 * * *', 'history.prune'],
  })
})

test('a run out of turn is made and recorded with its result', async () => {
  await addJob('gives-result', 'test.result')
  await start({ 'test.result': () => Promise.resolve({ rows: 3 }) })
  const requested = await runNow(worker, tester, 'gives-result')
  const [run] = await finished('gives-result')
  expect(run).toMatchObject({ state: 'done', dueAt: requested, result: { rows: 3 }, message: null })
  expect((await listJobs(worker, tester)).find((job) => job.name === 'gives-result')?.lastRun?.id).toBe(
    run?.id,
  )
})

test('a failing job is recorded with its message and runs again', async () => {
  await addJob('fails', 'test.fail')
  await start({
    'test.fail': () => Promise.reject(new AkashiError('conflict', 'the store is full', { hint: 'empty it' })),
  })
  await runNow(worker, tester, 'fails')
  const [run] = await finished('fails')
  expect(run).toMatchObject({ state: 'failed', message: 'the store is full (hint: empty it)', result: null })
  await runNow(worker, tester, 'fails')
  expect(await finished('fails', 2)).toHaveLength(2)
})

test('a job that takes longer than its limit is cancelled and recorded as failed', async () => {
  await addJob('too-long', 'test.obedient', { timeout: '1 second' })
  await start({ 'test.obedient': untilAborted })
  await runNow(worker, tester, 'too-long')
  const [run] = await finished('too-long')
  expect(run).toMatchObject({ state: 'failed', message: 'exceeded its limit of 1 seconds' })
})

test('what fell due is caught up on by one run, and not while the job is paused', async () => {
  await addJob('missed', 'test.count', { schedule: '*/30 * * * *' })
  await addJob('asleep', 'test.count', { schedule: '*/30 * * * *' })
  await pauseJob(worker, tester, 'asleep', true)
  await backdate('missed', '5 hours')
  await backdate('asleep', '5 hours')
  const { stop } = await start({ 'test.count': () => Promise.resolve({}) })
  const runs = await finished('missed')
  await stop()
  await start({ 'test.count': () => Promise.resolve({}) })
  await runNow(worker, tester, 'asleep')
  await finished('asleep')
  expect(await jobHistory(worker, tester, 'missed')).toEqual(runs)
  expect(runs).toHaveLength(1)
  expect(await jobHistory(worker, tester, 'asleep')).toHaveLength(1)
})

test('a job that is added while the worker runs is taken into the timetable', async () => {
  await start({ 'test.added': () => Promise.resolve({}) })
  await addJob('added', 'test.added', { schedule: '*/30 * * * *' })
  await backdate('added', '1 hour')
  const [run] = await finished('added')
  expect(run).toMatchObject({ state: 'done', dueAt: expect.stringMatching(/T\d\d:[03]0:00\.000000Z$/) })
})

test('a due moment is begun once, and not while the job is paused', async () => {
  await addJob('once', 'test.none')
  const begin = async (due: string) => {
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ run: string | null }>(
        `select akashi_lifecycle.begin_run('once', 'somebody', $1) as run`,
        [due],
      ),
    )
    return rows[0]?.run ?? null
  }
  await worker.direct(async (session) => {
    await session.query(`select pg_advisory_lock(akashi_lifecycle.worker_lock('somebody'))`)
    const racing = await Promise.all(Array.from({ length: 8 }, () => begin('2026-01-01T01:00:00Z')))
    const [first, ...others] = racing.filter((run) => run !== null)
    expect(first).toBeDefined()
    expect(others).toEqual([])
    expect(await begin('2099-01-01T01:00:00Z')).toBeNull()
    await session.query(`select akashi_lifecycle.finish_run($1, 'somebody', 'done', null, null)`, [first])
    expect(await begin('2026-01-01T01:00:00Z')).toBeNull()
    await pauseJob(worker, tester, 'once', true)
    expect(await begin('2099-01-01T01:00:00Z')).toBeNull()
    await pauseJob(worker, tester, 'once', false)
    const second = await begin('2099-01-01T01:00:00Z')
    expect(second).not.toBeNull()
    const { rows } = await session.query(
      `select akashi_lifecycle.finish_run($1, 'somebody else', 'done', null, null) as ours`,
      [second],
    )
    expect(rows).toEqual([{ ours: false }])
  })
})

test('two workers never run one job at the same time', async () => {
  await addJob('alone', 'test.alone')
  let now = 0
  let most = 0
  const alone: Task = async ({ worker: own }) => {
    now += 1
    most = Math.max(most, now)
    await own.transaction(tester, (session) => session.query('select pg_sleep(0.1)'))
    now -= 1
    return {}
  }
  await Promise.all([
    start({ 'test.alone': alone }),
    start({ 'test.alone': alone }),
    start({ 'test.alone': alone }),
  ])
  for (let turn = 1; turn <= 5; turn += 1) {
    await Promise.all([runNow(worker, tester, 'alone'), runNow(worker, tester, 'alone')])
    await finished('alone', turn)
  }
  expect(most).toBe(1)
})

test('a worker that stops cancels what it runs', async () => {
  await addJob('interrupted', 'test.slow')
  const { stop } = await start({ 'test.slow': untilAborted })
  await runNow(worker, tester, 'interrupted')
  await vi.waitFor(
    async () => expect(await jobHistory(worker, tester, 'interrupted')).toHaveLength(1),
    PATIENCE,
  )
  await stop()
  expect(await jobHistory(worker, tester, 'interrupted')).toMatchObject([
    { state: 'cancelled', message: 'the worker stopped' },
  ])
})

test('the run of a worker that was killed is closed, and the job runs again', async () => {
  await addJob('killed', 'test.forever')
  const program = fileURLToPath(new URL('worker-process.ts', import.meta.url))
  const child = spawn(process.execPath, [program, database.url('worker')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  await runNow(worker, tester, 'killed')
  await vi.waitFor(
    async () => expect(await jobHistory(worker, tester, 'killed')).toMatchObject([{ state: 'running' }]),
    PATIENCE,
  )
  child.kill('SIGKILL')
  await once(child, 'exit')
  await start({ 'test.forever': () => Promise.resolve({}) })
  await runNow(worker, tester, 'killed')
  const runs = await finished('killed', 2)
  expect(runs.map((run) => run.state)).toEqual(['done', 'failed'])
  expect(runs[1]?.message).toBe('the worker died or lost its connection')
})

test('a worker whose connection is cut cancels its runs and starts again', async () => {
  await addJob('cut', 'test.cut')
  let turns = 0
  await start({
    'test.cut': (context) => {
      turns += 1
      return turns === 1 ? untilAborted(context) : Promise.resolve({ turns })
    },
  })
  await runNow(worker, tester, 'cut')
  await vi.waitFor(async () => expect(await jobHistory(worker, tester, 'cut')).toHaveLength(1), PATIENCE)
  await database.asSuperuser((session) =>
    session.query(
      `select pg_terminate_backend(l.pid) from pg_locks l
       where l.locktype = 'advisory' and l.granted
         and (l.classid::bigint << 32) | l.objid::bigint in (select akashi_lifecycle.worker_lock(worker) from akashi_lifecycle.job_runs)`,
    ),
  )
  await finished('cut')
  await runNow(worker, tester, 'cut')
  const [again] = await finished('cut', 2)
  expect(again).toMatchObject({ state: 'done', result: { turns: 2 } })
})

test('a schedule without meaning and a task that is not here are said once and stop nothing', async () => {
  await addJob('meaningless', 'test.fine', { schedule: '99 * * * *' })
  await addJob('fine', 'test.fine')
  const { log } = await start({ 'test.fine': () => Promise.resolve({}) })
  await runNow(worker, tester, 'fine')
  await finished('fine')
  expect(log.lines.filter((line) => line.includes('meaningless'))).toHaveLength(1)
  expect(log.lines.filter((line) => line.includes('ledger.publish'))).toHaveLength(1)
})

test('the tasks of the timetable run', async () => {
  await start({ ...lifecycleTasks })
  for (const name of ['partitions', 'partition-headroom', 'prune-job-runs']) {
    await runNow(worker, tester, name)
    expect((await finished(name))[0]).toMatchObject({ state: 'done' })
  }
})

test('history is pruned after 90 days', async () => {
  await database.asSuperuser((session) =>
    session.query(
      `insert into akashi_lifecycle.job_runs (job, due_at, started_at, finished_at, state, worker)
       select 'old', at, at, at, 'done', 'w' from (values (now() - interval '91 days'), (now() - interval '89 days')) t (at)`,
    ),
  )
  expect(await pruneJobRuns(worker, tester)).toBe(1)
  expect(await jobHistory(worker, tester, 'old')).toHaveLength(1)
})

test('administrators may pause and request, others may not, and nobody writes history by hand', async () => {
  await addJob('touched', 'test.none')
  const admin = database.open('security_admin')
  await pauseJob(admin, tester, 'touched', true)
  await runNow(admin, tester, 'touched')
  await expect(runNow(admin, tester, 'no-such-job')).rejects.toMatchObject({ code: 'not_found' })
  await expect(pauseJob(database.open('reader'), tester, 'touched', false)).rejects.toMatchObject({
    code: 'forbidden',
  })
  await expect(runNow(database.open('app'), tester, 'touched')).rejects.toMatchObject({ code: 'forbidden' })
  for (const statement of [
    'delete from akashi_lifecycle.job_runs',
    'update akashi_lifecycle.jobs set paused = true',
  ]) {
    await expect(worker.transaction(tester, (session) => session.query(statement))).rejects.toMatchObject({
      code: 'forbidden',
    })
  }
  const { rows } = await worker.transaction(tester, (session) =>
    session.query(
      `select changed_fields, db_user from akashi_audit.audit_logs
       where table_name = 'jobs' and record_id = 'touched' and operation = 'UPDATE' order by seq limit 1`,
    ),
  )
  expect(rows).toMatchObject([
    { db_user: 'akashi_security_admin', changed_fields: expect.arrayContaining(['paused']) },
  ])
})

const untilAborted: Task = ({ signal }) =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  )
