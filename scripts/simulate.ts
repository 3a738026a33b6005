/**
 * Lets `akashi up` run for a month of simulated time, in a fresh folder, and checks that the timetable was kept:
 *
 *   node scripts/simulate.ts [--days 33] [--step 240] [--keep]
 *
 * The clock of the server, of Node.js and of every child moves ahead by half an hour at a time; timers keep the pace of the
 * real clock. After each step (minutes) every job that has become due has to run to its end, so jobs that are
 * due more often run at least once a step. Exits with 1 if a job did not run or failed, a report is missing, an alarm is open, or
 * something is not verified. Requires a C compiler.
 */

import { spawnSync } from 'node:child_process'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { nextTime, previousTime, type Schedule } from '../src/operations/index.ts'
import { openDatabase } from '../src/postgres/index.ts'
import { reachableFolder, removeDataDir } from '../test/support/embedded.ts'
import { akashi, akashiUp } from './akashi-process.ts'

/** Milliseconds by which the clock moves at once: less than an hour, which the recovery point may be old. */
const TICK_MS = 1_800_000
/** Milliseconds between two of them, in which WAL is streamed and rows are sealed. */
const TICK_PAUSE_MS = 700
const POLL_MS = 200
const COMPILER = 'cc'
/** Milliseconds that the jobs of one step may take. */
const STEP_TIMEOUT_MS = 180_000
/** Milliseconds at the end, at the pace of the real clock, for alarms to clear. */
const END_MS = 90_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** As the worker: a run that is later than this is missed, and made up for. */
const LATE_MS = 6_000
/** Conditions that only a person, or another machine, can clear. */
const EXPECTED_ALARMS = new Set(['access_review_overdue'])

interface JobRow {
  readonly name: string
  readonly schedule: string
  readonly zone: string
  readonly workingDay: boolean
  readonly paused: boolean
  readonly begun: string | null
  readonly running: boolean
}

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '33' },
    step: { type: 'string', default: '240' },
    keep: { type: 'boolean', default: false },
  },
})
const days = Number(values.days)
const stepMs = Number(values.step) * MINUTE_MS
if (!(days > 0) || !(stepMs >= MINUTE_MS)) {
  console.error('usage: node scripts/simulate.ts [--days N] [--step MINUTES] [--keep]')
  process.exit(2)
}
const folder = await reachableFolder()
const data = join(folder, 'data')
const file = join(folder, 'clock')
const library = join(folder, 'clock.so')
let offsetMs = 0
const now = () => Date.now() + offsetMs
const env = {
  LD_PRELOAD: library,
  FAKE_CLOCK: file,
  NODE_OPTIONS: `--import=${new URL('fake-clock.ts', import.meta.url).pathname}`,
  AKASHI_LOG_LEVEL: 'warn',
}
/** Every process has mapped the file, and has the new time at once. */
async function setClock(): Promise<void> {
  const ahead = Buffer.alloc(8)
  ahead.writeBigInt64LE(BigInt(offsetMs))
  await clock.write(ahead, 0, ahead.length, 0)
}

const problems: string[] = []
const say = (text: string) => process.stdout.write(`${new Date(now()).toISOString().slice(0, 16)} ${text}\n`)
const fault = (text: string) => {
  problems.push(text)
  say(`FAULT ${text}`)
}

await mkdir(data)
const compiled = spawnSync(
  COMPILER,
  ['-shared', '-fPIC', '-O2', '-o', library, new URL('fake-clock.c', import.meta.url).pathname, '-ldl'],
  { encoding: 'utf8' },
)
if (compiled.status !== 0) {
  console.error(
    `error: ${COMPILER} failed: ${compiled.error?.message ?? compiled.stderr}\nhint: apt-get install gcc`,
  )
  process.exit(3)
}
const clock = await open(file, 'w', 0o644)
await setClock()
const running = await akashiUp(data, { env })
const { stdout } = await akashi(['url', '--role', 'superuser', '--data', data, '--json'], { env })
const database = openDatabase({
  url: (JSON.parse(stdout) as { url: string }).url,
  role: 'owner',
  applicationName: 'akashi simulation',
})
const ask = <R>(sql: string, parameters: readonly unknown[] = []): Promise<R[]> =>
  database.direct(async (session) => (await session.query<R>(sql, [...parameters])).rows)

// A step of the clock is not the silence of a peer.
await ask('alter system set wal_sender_timeout = 0')
await ask('select pg_reload_conf()')
const started = now()
const scheduleOf = ({ schedule, zone, workingDay }: JobRow): Schedule => ({
  fields: schedule,
  zone,
  workingDay,
  holidays: [],
})
const readJobs = () =>
  ask<JobRow>(`select j.name, j.schedule, j.paused, j.working_day as "workingDay",
      case j.zone when 'UTC' then 'UTC' else akashi_lifecycle.setting('organisation.time_zone') #>> '{}' end as zone,
      last.begun, coalesce(last.running, false) as running
    from akashi_lifecycle.jobs j left join lateral (
      select greatest(r.due_at, r.started_at) as begun, r.state = 'running' as running from akashi_lifecycle.job_runs r
      where r.job = j.name order by r.started_at desc limit 1) last on true`)

/** Jobs of which a time within the step has passed without a run, or which are still running. */
const waiting = (jobs: readonly JobRow[], from: number): JobRow[] =>
  jobs.filter((job) => {
    if (job.running) return true
    const due = job.paused ? undefined : previousTime(scheduleOf(job), from, now() - LATE_MS)
    return due !== undefined && (job.begun === null || Date.parse(job.begun) < due)
  })

async function step(): Promise<void> {
  const from = now()
  const until = offsetMs + stepMs
  while (offsetMs < until) {
    offsetMs = Math.min(offsetMs + TICK_MS, until)
    await setClock()
    // Something to seal, verify, detect and deliver.
    await ask(
      `select akashi_security.record_event('page_viewed', 'data_access', 'info', 'shop', user_name => 'visitor')`,
    )
    await ask(`select pg_notify('akashi_jobs', '')`)
    // To a verification, a row from before the tick that is not sealed yet looks forgotten.
    const end = performance.now() + STEP_TIMEOUT_MS
    do await sleep(TICK_PAUSE_MS)
    while (performance.now() < end && (await readJobs()).some((job) => job.running))
  }
  const end = performance.now() + STEP_TIMEOUT_MS
  for (;;) {
    const left = waiting(await readJobs(), from)
    if (left.length === 0) return
    if (performance.now() > end) {
      fault(
        `did not run or end within ${STEP_TIMEOUT_MS / 1000} s: ${left.map(({ name }) => name).join(', ')}`,
      )
      return
    }
    await sleep(POLL_MS)
  }
}

try {
  const steps = Math.ceil((days * DAY_MS) / stepMs)
  const begun = performance.now()
  for (let n = 0; n < steps; n += 1) {
    const day = Math.floor((now() - started) / DAY_MS)
    await step()
    if (Math.floor((now() - started) / DAY_MS) > day) {
      const open = await ask<{ condition: string; subject: string }>(
        'select condition, subject from akashi_lifecycle.alarms where opened_at is not null and cleared_at is null',
      )
      const names = open.map(({ condition, subject }) => `${condition} ${subject}`.trim()).join(', ')
      say(
        `day ${day + 1}, ${Math.round((performance.now() - begun) / 1000)} s${names === '' ? '' : `; alarms: ${names}`}`,
      )
    }
  }
  const stepped = now() - LATE_MS
  await sleep(END_MS)
  say(
    `${days} days in ${Math.round((performance.now() - begun) / 1000)} s, in steps of ${values.step} minutes`,
  )

  // Every scheduled time is settled by the run of its step.
  for (const job of await readJobs()) {
    const runs = await ask<{ dueAt: string; startedAt: string; state: string; message: string | null }>(
      'select due_at as "dueAt", started_at as "startedAt", state, message from akashi_lifecycle.job_runs where job = $1 order by due_at',
      [job.name],
    )
    const failed = runs.filter(({ state }) => state !== 'done')
    const first = failed[0]
    if (first !== undefined)
      fault(
        `${job.name}: ${failed.length} of ${runs.length} runs ${first.state}, the first at ${first.startedAt}: ${first.message}`,
      )
    if (job.paused) continue
    const due: number[] = []
    for (
      let at = nextTime(scheduleOf(job), started);
      at !== undefined && at < stepped;
      at = nextTime(scheduleOf(job), at)
    )
      due.push(at)
    const settled = (at: number) =>
      runs.some(({ dueAt, startedAt }) => {
        const begun = Math.max(Date.parse(dueAt), Date.parse(startedAt))
        return begun >= at && begun <= at + stepMs + STEP_TIMEOUT_MS
      })
    const missed = due.filter((at) => !settled(at))
    if (missed[0] !== undefined)
      fault(
        `${job.name}: ${missed.length} of ${due.length} times were not met, the first ${new Date(missed[0]).toISOString()}`,
      )
    say(`${job.name}: due ${due.length} times, ${runs.length} runs, ${failed.length} of them failed`)
  }

  const json = async <T>(...args: string[]): Promise<T> => {
    const { status, stdout: text, stderr } = await akashi([...args, '--data', data, '--json'], { env })
    if (status !== 0)
      fault(`akashi ${args.join(' ')} exited with ${status}: ${stderr.slice(-500)} ${text.slice(-1500)}`)
    return (text === '' ? {} : JSON.parse(text)) as T
  }
  const { jobs } = await json<{ jobs: { name: string; owed: boolean }[] }>('jobs', 'list')
  for (const { name, owed } of jobs) if (owed) fault(`${name} is owed`)
  const reports = await ask<{ month: string; verdict: string }>(
    'select month, verdict from akashi_security.compliance_reports order by month',
  )
  say(`reports: ${reports.map(({ month, verdict }) => `${month} ${verdict}`).join(', ')}`)
  if (reports.length === 0) fault('no compliance report was made')
  const alarms = await ask<{
    condition: string
    subject: string
    detail: string
    openedAt: string
    open: boolean
  }>(
    `select condition, subject, detail, opened_at as "openedAt", cleared_at is null as open from akashi_lifecycle.alarms
     where opened_at is not null order by opened_at`,
  )
  for (const { condition, subject, detail, openedAt, open } of alarms) {
    say(`alarm ${condition} ${subject}, ${openedAt}${open ? '' : ', cleared'}: ${detail.slice(0, 200)}`)
    if (open && !EXPECTED_ALARMS.has(condition)) fault(`the alarm ${condition} ${subject} is open`)
  }
  await json('verify')
  await json('doctor')
} finally {
  await database.close()
  await running.stop()
  await writeFile('/tmp/akashi-simulation.log', running.output())
  if (!values.keep) await removeDataDir(folder)
}
say(problems.length === 0 ? 'everything ran, and nothing is owed' : `${problems.length} faults`)
process.exitCode = problems.length === 0 ? 0 : 1
