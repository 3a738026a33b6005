import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, type Log, type Span, startSpan } from '../../foundation/index.ts'
import { type Actor, type Database, system } from '../../postgres/index.ts'
import type { RunState } from './jobs.ts'
import { MESSAGE_LENGTH, RECORD_ATTEMPTS, RECORD_PAUSE_MS } from './limits.ts'
import type { Task } from './task.ts'
import type { DueJob } from './timetable.ts'

export interface Execution extends DueJob {
  /** Of the role `worker`. */
  readonly worker: Database
  /** Name of the worker process, which holds a lock while the run is alive. */
  readonly runner: string
  readonly task: Task
  readonly timeoutSeconds: number
  /** Cancels the run. */
  readonly signal: AbortSignal
  readonly log: Log
}

interface Outcome {
  readonly state: Exclude<RunState, 'running'>
  readonly message: string | null
  /** JSON */
  readonly result: string | null
}

/**
 * Starts the run if it is still due, runs the task and records the result. An error of the task is recorded;
 * this throws only when the record could not be written.
 */
export async function execute(execution: Execution): Promise<void> {
  const { job, due, log } = execution
  const span = startSpan(`job ${job}`, { attributes: { 'akashi.job': job } })
  const actor = system(job, span === undefined ? {} : { traceId: span.traceId })
  const run = await begin(execution, actor)
  if (run === null) {
    log.debug({ job, due }, 'the job is running, has run, or is paused')
    return
  }
  if (span === undefined) return await carryOut(execution, actor, run)
  span.set({ 'akashi.run': run })
  await span.run(() => carryOut(execution, actor, run, span))
}

async function carryOut(execution: Execution, actor: Actor, run: string, span?: Span): Promise<void> {
  const { worker, runner, job, log } = execution
  const outcome = await attempt(execution, actor, run)
  span?.set({ 'akashi.outcome': outcome.state })
  span?.end(outcome.state === 'failed' ? new AkashiError('internal', 'the job failed') : undefined)
  if (outcome.state === 'failed') {
    log.error({ job, run, message: outcome.message }, 'the job failed')
  } else {
    log.debug({ job, run, state: outcome.state }, 'the job ended')
  }
  if (!(await finish(worker, actor, run, runner, outcome))) {
    log.warn({ job, run }, 'the run was closed by another worker meanwhile')
  }
}

async function begin({ worker, runner, job, due, signal }: Execution, actor: Actor): Promise<string | null> {
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<{ run: string | null }>('select akashi_lifecycle.begin_run($1, $2, $3) as run', [
        job,
        runner,
        due,
      ]),
    { signal },
  )
  return rows[0]?.run ?? null
}

async function attempt(
  { worker, runner, task, timeoutSeconds, signal, log, job }: Execution,
  actor: Actor,
  run: string,
): Promise<Outcome> {
  const limit = AbortSignal.timeout(timeoutSeconds * 1_000)
  try {
    const onProgress = (progress: Readonly<Record<string, unknown>>) => {
      worker
        .transaction(actor, (session) =>
          session.query('select akashi_lifecycle.report_progress($1, $2, $3)', [
            run,
            runner,
            JSON.stringify(progress),
          ]),
        )
        .catch((error: unknown) => log.debug({ job, run, err: error }, 'the progress could not be recorded'))
    }
    const result = await task({ worker, actor, signal: AbortSignal.any([signal, limit]), log, onProgress })
    return { state: 'done', message: null, result: JSON.stringify(result) }
  } catch (error) {
    if (signal.aborted) {
      return { state: 'cancelled', message: 'the worker stopped', result: null }
    }
    if (limit.aborted) {
      return {
        state: 'failed',
        message: `exceeded its limit of ${timeoutSeconds} seconds`,
        result: null,
      }
    }
    if (!(error instanceof AkashiError)) {
      log.error({ job, err: error }, 'the job failed with an unexpected error')
    }
    return { state: 'failed', message: describe(error), result: null }
  }
}

function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : 'a value that is not an error was thrown'
  const hint = error instanceof AkashiError && error.hint !== undefined ? ` (hint: ${error.hint})` : ''
  return `${message}${hint}`.slice(0, MESSAGE_LENGTH)
}

async function finish(
  worker: Database,
  actor: Actor,
  run: string,
  runner: string,
  outcome: Outcome,
): Promise<boolean> {
  const { state, message, result } = outcome
  for (let tries = 1; ; tries += 1) {
    try {
      const { rows } = await worker.transaction(actor, (session) =>
        session.query<{ ours: boolean }>('select akashi_lifecycle.finish_run($1, $2, $3, $4, $5) as ours', [
          run,
          runner,
          state,
          message,
          result,
        ]),
      )
      // If the response of an earlier attempt was lost, the run is finished already.
      return rows[0]?.ours === true || tries > 1
    } catch (error) {
      if (tries === RECORD_ATTEMPTS) {
        throw error
      }
      await sleep(RECORD_PAUSE_MS)
    }
  }
}
