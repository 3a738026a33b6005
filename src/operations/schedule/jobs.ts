import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { HISTORY_LIMIT } from './limits.ts'

export type RunState = 'running' | 'done' | 'failed' | 'cancelled'

export interface JobRun {
  readonly id: string
  readonly job: string
  /** When the run was scheduled or requested. */
  readonly dueAt: string
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly state: RunState
  readonly worker: string
  readonly message: string | null
  readonly result: Readonly<Record<string, unknown>> | null
}

export interface Job {
  readonly name: string
  /** Five fields of cron, in UTC. */
  readonly schedule: string
  readonly task: string
  readonly description: string
  readonly paused: boolean
  readonly timeoutSeconds: number
  readonly requestedAt: string | null
  readonly lastRun: JobRun | null
}

const runColumns = `
  r.id, r.job, r.due_at as "dueAt", r.started_at as "startedAt", r.finished_at as "finishedAt",
  r.state, r.worker, r.message, r.result`

/** Every job with its latest run, ordered by name. */
export async function listJobs(database: Database, actor: Actor): Promise<Job[]> {
  const { jobs, runs } = await database.transaction(
    actor,
    async (session) => ({
      jobs: await session.query<Omit<Job, 'lastRun'>>(
        `select name, schedule, task, description, paused, extract(epoch from timeout)::float8 as "timeoutSeconds",
                requested_at as "requestedAt"
         from akashi_lifecycle.jobs order by name`,
      ),
      runs: await session.query<JobRun>(
        `select ${runColumns} from akashi_lifecycle.jobs j
         cross join lateral (select * from akashi_lifecycle.job_runs where job = j.name order by started_at desc limit 1) r`,
      ),
    }),
    { readOnly: true },
  )
  const last = new Map(runs.rows.map((run) => [run.job, run]))
  return jobs.rows.map((job) => ({ ...job, lastRun: last.get(job.name) ?? null }))
}

/**
 * The runs of one job, newest first; also of a deleted job.
 *
 * @param limit maximum number of rows; default HISTORY_LIMIT
 */
export async function jobHistory(
  database: Database,
  actor: Actor,
  name: string,
  limit = HISTORY_LIMIT,
): Promise<JobRun[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<JobRun>(
        `select ${runColumns} from akashi_lifecycle.job_runs r where r.job = $1 order by r.started_at desc limit $2`,
        [name, limit],
      ),
    { readOnly: true },
  )
  return rows
}

/**
 * Requests an immediate run, also of a paused job. If the job is running, that run finishes first. A request that
 * no worker handles within a day is dropped.
 *
 * @param actor who requests it; recorded in the audit trail
 * @returns when it was requested: the run has this `dueAt`, or started later
 * @throws AkashiError not_found
 */
export async function runNow(database: Database, actor: Actor, name: string): Promise<string> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ requested: string }>('select akashi_lifecycle.request_job($1) as requested', [name]),
  )
  const row = rows[0]
  if (row === undefined) {
    throw new AkashiError('internal', 'the request for a run returned nothing')
  }
  return row.requested
}

/**
 * Pauses or resumes a job. A running run continues.
 *
 * @throws AkashiError not_found
 */
export async function pauseJob(
  database: Database,
  actor: Actor,
  name: string,
  paused: boolean,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.pause_job($1, $2)', [name, paused]),
  )
}

/** Deletes runs older than 90 days. */
export async function pruneJobRuns(database: Database, actor: Actor): Promise<number> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ removed: number }>('select akashi_lifecycle.prune_job_runs() as removed'),
  )
  return rows[0]?.removed ?? 0
}
