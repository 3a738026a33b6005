/** The timetable as the worker reads it: all jobs, and which of them are due. */
import { type ParsedCronItem, parseCronItem } from 'graphile-worker'
import type { Actor, Database } from '../../postgres/index.ts'
import { previousTime, type Schedule } from './cron.ts'
import { CATCH_UP_AFTER_MS, CATCH_UP_MS } from './limits.ts'

/** The queue's only task; its payload names the job. */
export const QUEUE_TASK = 'akashi.job'

export interface TimetableRow {
  readonly name: string
  readonly schedule: string
  /** A name of the IANA time zone database. */
  readonly zone: string
  readonly workingDay: boolean
  /** Local dates on which the organisation does not work. */
  readonly holidays: readonly string[]
  readonly task: string
  readonly paused: boolean
  readonly timeoutSeconds: number
  readonly updatedAt: string
  /** When a run was requested that has not started yet. */
  readonly request: string | null
  /** When the latest run was due or started, whichever is later; one that was cut short does not count. */
  readonly begun: string | null
  readonly running: boolean
}

export interface DueJob {
  readonly job: string
  /** ISO 8601, to the microsecond where it is a request. */
  readonly due: string
}

/** A request older than a day is ignored. */
const timetableSql = `
  select j.name, j.schedule, j.task, j.paused, j.working_day as "workingDay",
         case j.zone when 'UTC' then 'UTC' else akashi_lifecycle.setting('organisation.time_zone') #>> '{}' end as zone,
         akashi_lifecycle.setting('organisation.holidays') as holidays, extract(epoch from j.timeout)::float8 as "timeoutSeconds",
         j.updated_at as "updatedAt", last.begun, coalesce(last.running, false) as running,
         case when j.requested_at > coalesce(last.begun, '-infinity') and j.requested_at > now() - interval '1 day'
              then j.requested_at end as request
  from akashi_lifecycle.jobs j
  left join lateral (
    select greatest(r.due_at, r.started_at) as begun, r.state = 'running' as running
    from akashi_lifecycle.job_runs r where r.job = j.name and akashi_lifecycle.settles(r) order by r.started_at desc limit 1
  ) last on true
  order by j.name`

export async function readTimetable(
  database: Pick<Database, 'transaction'>,
  actor: Actor,
): Promise<TimetableRow[]> {
  const { rows } = await database.transaction(actor, (session) => session.query<TimetableRow>(timetableSql), {
    readOnly: true,
  })
  return rows
}

export function scheduleOf({
  schedule,
  zone,
  workingDay,
  holidays,
}: Pick<TimetableRow, 'schedule' | 'zone' | 'workingDay' | 'holidays'>): Schedule {
  return { fields: schedule, zone, workingDay, holidays }
}

/** Whether the queue starts it on the minute; it knows UTC alone, and others start when the timetable is read. */
export function isKeptByQueue({ zone, workingDay }: TimetableRow): boolean {
  return zone === 'UTC' && !workingDay
}

/** @throws Error when the schedule is not a valid cron expression */
export function cronItem({ name, schedule }: Pick<TimetableRow, 'name' | 'schedule'>): ParsedCronItem {
  return parseCronItem({
    task: QUEUE_TASK,
    match: schedule,
    identifier: name,
    payload: { job: name },
    options: { jobKey: name, jobKeyMode: 'replace', maxAttempts: 1, backfillPeriod: 0 },
  })
}

/**
 * The run that is due: a pending request, else the latest scheduled time if no run has started since. After a
 * downtime of any length at most one run is caught up on, and none that was scheduled while the job was paused or
 * before its row changed.
 */
export function dueRun(row: TimetableRow, now: Date): DueJob | undefined {
  if (row.running) {
    return undefined
  }
  if (row.request !== null) {
    return { job: row.name, due: row.request }
  }
  if (row.paused) {
    return undefined
  }
  const due = owedSince(row, now)
  return due === undefined ? undefined : { job: row.name, due: due.toISOString() }
}

/** The latest scheduled time that no run has settled; undefined where there is none. */
export function owedSince(
  row: Pick<TimetableRow, 'begun' | 'updatedAt' | 'schedule' | 'zone' | 'workingDay' | 'holidays'>,
  now: Date,
): Date | undefined {
  const begun = row.begun === null ? 0 : Date.parse(row.begun)
  const since = Math.max(begun, Date.parse(row.updatedAt), now.getTime() - CATCH_UP_MS)
  const due = previousTime(scheduleOf(row), since, now.getTime() - CATCH_UP_AFTER_MS)
  return due === undefined ? undefined : new Date(due)
}
