import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeWorkerUtils, type ParsedCronItem, type Runner, run } from 'graphile-worker'
import { z } from 'zod'
import { AkashiError, type Log } from '../../foundation/index.ts'
import {
  type Database,
  type DirectSession,
  type DriverPool,
  openDriverPool,
  readOn,
  releaseLock,
  system,
  tryLock,
} from '../../postgres/index.ts'
import { execute } from './execute.ts'
import {
  CANCEL_MS,
  CONCURRENT_JOBS,
  FINISH_MS,
  GATHER_MS,
  QUEUE_POLL_MS,
  QUEUE_POOL_SIZE,
  RELOAD_MS,
} from './limits.ts'
import { queueLogger } from './queue-log.ts'
import type { Task } from './task.ts'
import {
  cronItem,
  type DueJob,
  dueRun,
  isKeptByQueue,
  QUEUE_TASK,
  readTimetable,
  type TimetableRow,
} from './timetable.ts'

export interface WorkerRunOptions {
  readonly worker: Database
  readonly directUrl: string
  readonly tasks: Readonly<Record<string, Task>>
  readonly log: Log
  readonly signal: AbortSignal
  /** Called when the timetable was read and jobs are accepted. */
  readonly onStarted: () => void
}

const scheduler = system('scheduler')

/** The payload in the queue: added by its cron (`_cron`), or for a due run (`due`). */
const payloadSchema = z.object({
  job: z.string(),
  due: z.string().optional(),
  _cron: z.object({ ts: z.string() }).optional(),
})

/**
 * One run of a worker, until it is stopped or fails. It holds an advisory lock for its name on a dedicated
 * connection. When that connection is lost, other workers close its runs, so it must stop them.
 *
 * @throws AkashiError when it ended for another reason than the signal
 */
export async function runOnce(options: WorkerRunOptions): Promise<void> {
  await options.worker.direct((session) => new WorkerRun(options, session).run())
}

class WorkerRun {
  readonly #options: WorkerRunOptions
  readonly #session: DirectSession
  readonly #name = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`
  /** Aborted when no further job may start. */
  readonly #ending = new AbortController()
  /** Aborted when running jobs must stop. */
  readonly #cancel = new AbortController()
  readonly #running = new Set<Promise<void>>()
  /** Read by the queue every minute; changed in place. */
  readonly #items: ParsedCronItem[] = []
  #rows: ReadonlyMap<string, TimetableRow> = new Map()
  #warned: ReadonlySet<string> = new Set()
  /** Aborted when the timetable has to be read again; new before each reading, so that no change is missed meanwhile. */
  #awake = new AbortController()
  #failure: unknown

  constructor(options: WorkerRunOptions, session: DirectSession) {
    this.#options = options
    this.#session = session
  }

  async run(): Promise<void> {
    const { signal, worker, log, onStarted } = this.#options
    if (signal.aborted) {
      return
    }
    const onAbort = () => this.#end()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#session.lost.addEventListener('abort', () => this.#fail(connectionLost()), { once: true })
    try {
      await this.#session.query('select pg_advisory_lock(akashi_lifecycle.worker_lock($1))', [this.#name])
      await prepareQueue(this.#session, this.#options)
      await worker.transaction(scheduler, (session) =>
        session.query('select akashi_lifecycle.close_stale_runs()'),
      )
      await this.#session.listen('akashi_jobs', () => this.#awake.abort())
      // The queue's own pool would lose its error handlers before its connections end.
      const pool = openDriverPool(this.#options.directUrl, 'worker', QUEUE_POOL_SIZE)
      try {
        const runner = await this.#startQueue(pool)
        try {
          await this.#reload(runner)
          log.info({ worker: this.#name }, 'the worker is running')
          onStarted()
          await this.#keepTimetable(runner)
        } finally {
          await this.#stop(runner)
        }
      } finally {
        await within(CANCEL_MS, pool.end())
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    if (this.#failure !== undefined) {
      throw this.#failure
    }
  }

  /** Stops the worker because of an error. */
  #fail(error: unknown): void {
    this.#failure ??= error
    this.#cancel.abort()
    this.#end()
  }

  #end(): void {
    this.#ending.abort()
    this.#awake.abort()
  }

  async #startQueue(pgPool: DriverPool): Promise<Runner> {
    const runner = await run({
      schema: QUEUE_SCHEMA,
      pgPool,
      concurrency: CONCURRENT_JOBS,
      pollInterval: QUEUE_POLL_MS,
      noHandleSignals: true,
      logger: queueLogger(this.#options.log),
      taskList: { [QUEUE_TASK]: (payload) => this.#take(payload) },
      parsedCronItems: this.#items,
    })
    const onEnd = (cause: unknown) => {
      if (!this.#ending.signal.aborted) {
        this.#fail(new AkashiError('unavailable', 'the job queue stopped unexpectedly', { cause }))
      }
    }
    runner.promise.then(onEnd, onEnd)
    return runner
  }

  /** Runs a job of the queue. Never rejects: the result is recorded in the run's own row, not in the queue. */
  async #take(payload: unknown): Promise<void> {
    const parsed = payloadSchema.safeParse(payload)
    if (!parsed.success || this.#ending.signal.aborted) {
      return
    }
    const { job, due = parsed.data._cron?.ts } = parsed.data
    const row = this.#rows.get(job)
    const task = row === undefined ? undefined : this.#options.tasks[row.task]
    if (row === undefined || task === undefined || due === undefined) {
      return
    }
    const { worker, log } = this.#options
    const running = execute({
      job,
      due,
      worker,
      log,
      task,
      runner: this.#name,
      timeoutSeconds: row.timeoutSeconds,
      signal: this.#cancel.signal,
    }).catch((error: unknown) => this.#fail(error))
    this.#running.add(running)
    await running
    this.#running.delete(running)
    this.#awake.abort()
  }

  async #keepTimetable(runner: Runner): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await sleep(RELOAD_MS, undefined, { signal: this.#awake.signal }).catch(() => undefined)
      // A run begins and ends with a notification each, and several end together.
      await sleep(GATHER_MS, undefined, { signal: this.#ending.signal }).catch(() => undefined)
      if (!this.#ending.signal.aborted) {
        await this.#reload(runner).catch((error: unknown) => {
          this.#options.log.warn({ err: error }, 'the timetable could not be read')
        })
      }
    }
  }

  async #reload(runner: Runner): Promise<void> {
    this.#awake = new AbortController()
    const rows = await readTimetable(readOn(this.#session), scheduler)
    const now = new Date()
    const items: ParsedCronItem[] = []
    const due: DueJob[] = []
    const warnings = new Set<string>()
    for (const row of rows) {
      const item = this.#itemOf(row, warnings)
      if (item === undefined) {
        continue
      }
      if (!row.paused && isKeptByQueue(row)) {
        items.push(item)
      }
      const run = dueRun(row, now)
      if (run !== undefined) {
        due.push(run)
      }
    }
    this.#rows = new Map(rows.map((row) => [row.name, row]))
    this.#items.splice(0, this.#items.length, ...items)
    this.#warn(warnings)
    for (const run of due) {
      await runner.addJob(QUEUE_TASK, run, { jobKey: run.job, maxAttempts: 1 })
    }
  }

  #itemOf(row: TimetableRow, warnings: Set<string>): ParsedCronItem | undefined {
    if (this.#options.tasks[row.task] === undefined) {
      warnings.add(`job ${row.name} is left to other workers: this one has no task ${row.task}`)
      return undefined
    }
    try {
      return cronItem(row)
    } catch {
      warnings.add(`job ${row.name} does not run: its schedule is not valid`)
      return undefined
    }
  }

  /** Logs each warning once, until it is no longer true. */
  #warn(warnings: ReadonlySet<string>): void {
    for (const warning of warnings) {
      if (!this.#warned.has(warning)) {
        this.#options.log.warn({ worker: this.#name }, warning)
      }
    }
    this.#warned = warnings
  }

  /** Accepts no further jobs, lets running ones finish, then cancels them. Ends in bounded time in any case. */
  async #stop(runner: Runner): Promise<void> {
    this.#end()
    const stopped = runner.stop().catch(() => undefined)
    await within(FINISH_MS, Promise.all(this.#running), this.#cancel.signal)
    this.#cancel.abort()
    const inTime = await within(CANCEL_MS, Promise.all([stopped, ...this.#running]))
    if (!inTime) {
      this.#options.log.error(
        { worker: this.#name },
        'jobs ignored their cancellation; another worker closes their runs',
      )
      runner.kill().catch(() => undefined)
    }
  }
}

/** Schema of the job queue, created by the migrations. */
const QUEUE_SCHEMA = 'akashi_jobs'

/** Several workers may start at once, and the queue's own migrations do not expect that. */
async function prepareQueue(session: DirectSession, { directUrl, log }: WorkerRunOptions): Promise<void> {
  const lock = await queueLock(session)
  try {
    const pgPool = openDriverPool(directUrl, 'worker', 2)
    try {
      const utils = await makeWorkerUtils({ pgPool, schema: QUEUE_SCHEMA, logger: queueLogger(log) })
      try {
        // Remains of killed workers.
        await utils.cleanup({ tasks: ['DELETE_PERMAFAILED_JOBS'] })
      } finally {
        await utils.release()
      }
    } finally {
      await pgPool.end()
    }
  } catch (error) {
    throw new AkashiError('unavailable', 'the job queue could not be prepared', {
      hint: 'apply the migrations: akashi migrate up',
      cause: error,
    })
  } finally {
    await releaseLock(session, lock)
  }
}

/** Milliseconds between two attempts to prepare the queue while another worker does. */
const QUEUE_LOCK_MS = 100

async function queueLock(session: DirectSession): Promise<bigint> {
  for (;;) {
    session.lost.throwIfAborted()
    const { key, taken, others } = await tryLock(session, 'akashi.queue', 'worker')
    if (key !== null) return key
    if (!taken && others !== undefined) {
      throw new AkashiError('conflict', `other logins hold the locks of the job queue: ${others}`, {
        hint: 'end their sessions: they have no reason to hold these locks',
      })
    }
    await sleep(QUEUE_LOCK_MS)
  }
}

/** Whether the work ended before the timeout and before the signal fired. */
async function within(ms: number, work: Promise<unknown>, signal?: AbortSignal): Promise<boolean> {
  const timer = new AbortController()
  const late = sleep(ms, false, {
    signal: signal === undefined ? timer.signal : AbortSignal.any([timer.signal, signal]),
  })
  try {
    return await Promise.race([work.then(() => true), late.catch(() => false)])
  } finally {
    timer.abort()
  }
}

function connectionLost(): AkashiError {
  return new AkashiError('unavailable', 'the worker lost its connection to the database')
}
