import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { nextTime } from './cron.ts'
import { HISTORY_LIMIT } from './limits.ts'
import { owedSince, readTimetable, scheduleOf } from './timetable.ts'

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
  /** What the run last said of how far it is. */
  readonly progress: Readonly<Record<string, unknown>> | null
}

export interface Job {
  readonly name: string
  /** Five fields of cron. */
  readonly schedule: string
  /** Time zone of the schedule. */
  readonly zone: string
  readonly task: string
  readonly description: string
  readonly paused: boolean
  readonly timeoutSeconds: number
  readonly requestedAt: string | null
  /** The next scheduled run; null while the job is paused, and where there is none. */
  readonly nextAt: string | null
  /** A scheduled run was missed and is not made up for yet. */
  readonly owed: boolean
  readonly lastRun: JobRun | null
}

const runColumns = `
  r.id, r.job, r.due_at as "dueAt", r.started_at as "startedAt", r.finished_at as "finishedAt",
  r.state, r.worker, r.message, r.result, r.progress`

/** Every job with its latest run, ordered by name. */
export async function listJobs(database: Database, actor: Actor, now = new Date()): Promise<Job[]> {
  const { jobs, runs } = await database.transaction(
    actor,
    async (session) => ({
      jobs: await session.query<{ name: string; description: string; requestedAt: string | null }>(
        'select name, description, requested_at as "requestedAt" from akashi_lifecycle.jobs',
      ),
      runs: await session.query<JobRun>(
        `select ${runColumns} from akashi_lifecycle.jobs j
         cross join lateral (select * from akashi_lifecycle.job_runs where job = j.name order by started_at desc limit 1) r`,
      ),
    }),
    { readOnly: true },
  )
  const last = new Map(runs.rows.map((run) => [run.job, run]))
  const described = new Map(jobs.rows.map((job) => [job.name, job]))
  return (await readTimetable(database, actor)).map((row) => {
    const { name, schedule, zone, task, paused, timeoutSeconds, running } = row
    const next = paused ? undefined : nextTime(scheduleOf(row), now.getTime())
    return {
      name,
      schedule,
      zone,
      task,
      description: described.get(name)?.description ?? '',
      paused,
      timeoutSeconds,
      requestedAt: described.get(name)?.requestedAt ?? null,
      nextAt: next === undefined ? null : new Date(next).toISOString(),
      owed: !paused && !running && owedSince(row, now) !== undefined,
      lastRun: last.get(name) ?? null,
    }
  })
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
 * @param reason why; recorded too
 * @returns when it was requested: the run has this `dueAt`, or started later
 * @throws AkashiError not_found
 */
export async function runNow(
  database: Database,
  actor: Actor,
  name: string,
  reason?: string,
): Promise<string> {
  const { rows } = await database.transaction(actor, async (session) => {
    await recordReason(session, 'run', name, reason)
    return await session.query<{ requested: string }>(
      'select akashi_lifecycle.request_job($1) as requested',
      [name],
    )
  })
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
  reason?: string,
): Promise<void> {
  await database.transaction(actor, async (session) => {
    await recordReason(session, paused ? 'pause' : 'resume', name, reason)
    await session.query('select akashi_lifecycle.pause_job($1, $2)', [name, paused])
  })
}

/** The row of the job says what changed; this says why. */
async function recordReason(
  session: Session,
  action: 'run' | 'pause' | 'resume',
  name: string,
  reason: string | undefined,
): Promise<void> {
  if (reason === undefined) return
  await session.query(
    `select akashi_audit.record_action('job_changed', $1, 'job', $2, 'SUCCESS', jsonb_build_object('reason', $3::text))`,
    [action, name, reason],
  )
}

/** Deletes runs older than 90 days. */
export async function pruneJobRuns(database: Database, actor: Actor): Promise<number> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ removed: number }>('select akashi_lifecycle.prune_job_runs() as removed'),
  )
  return rows[0]?.removed ?? 0
}
