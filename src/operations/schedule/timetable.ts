/** The timetable as the worker reads it: which jobs there are, and which of them are due and not begun. */
import { type ParsedCronItem, parseCronItem } from 'graphile-worker'
import type { Actor, Database } from '../../postgres/index.ts'
import { CATCH_UP_AFTER_MS, CATCH_UP_MS } from './limits.ts'

/** The one task that the queue knows; which job it is about is in the payload. */
export const QUEUE_TASK = 'akashi.job'

const MINUTE_MS = 60_000

export interface TimetableRow {
  readonly name: string
  readonly schedule: string
  readonly task: string
  readonly paused: boolean
  readonly timeoutSeconds: number
  readonly updatedAt: string
  /** A request for a run that no run has answered yet. */
  readonly request: string | null
  /** The latest moment that a run answers, or when it started; one that was cut short answers none. */
  readonly begun: string | null
  readonly running: boolean
}

export interface DueJob {
  readonly job: string
  /** ISO 8601, to the microsecond where it is a request. */
  readonly due: string
}

/** A request that no worker answered within a day is not what anybody still waits for. */
const timetableSql = `
  select j.name, j.schedule, j.task, j.paused, extract(epoch from j.timeout)::float8 as "timeoutSeconds",
         j.updated_at as "updatedAt", last.begun, coalesce(last.running, false) as running,
         case when j.requested_at > coalesce(last.begun, '-infinity') and j.requested_at > now() - interval '1 day'
              then j.requested_at end as request
  from akashi_lifecycle.jobs j
  left join lateral (
    select greatest(r.due_at, r.started_at) as begun, r.state = 'running' as running
    from akashi_lifecycle.job_runs r where r.job = j.name and akashi_lifecycle.settles(r) order by r.started_at desc limit 1
  ) last on true
  order by j.name`

export async function readTimetable(database: Database, actor: Actor): Promise<TimetableRow[]> {
  const { rows } = await database.transaction(actor, (session) => session.query<TimetableRow>(timetableSql), {
    readOnly: true,
  })
  return rows
}

/** @throws Error when the schedule means nothing to cron */
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
 * The run that a job owes: an unanswered request, else the last moment of its schedule when no run has
 * begun since. So that a downtime of any length is made up for by one run at most, and what fell due
 * while the job was paused or before its row changed by none.
 */
export function owed(row: TimetableRow, item: ParsedCronItem, now: Date): DueJob | undefined {
  if (row.running) {
    return undefined
  }
  if (row.request !== null) {
    return { job: row.name, due: row.request }
  }
  if (row.paused) {
    return undefined
  }
  const begun = row.begun === null ? 0 : Date.parse(row.begun)
  const since = Math.max(begun, Date.parse(row.updatedAt), now.getTime() - CATCH_UP_MS)
  const due = lastMatch(item, since, now.getTime() - CATCH_UP_AFTER_MS)
  return due === undefined ? undefined : { job: row.name, due: new Date(due).toISOString() }
}

/** The latest minute after `since` and not after `until` that the item matches; both in milliseconds. */
function lastMatch(item: ParsedCronItem, since: number, until: number): number | undefined {
  for (let time = until - (until % MINUTE_MS); time > since; time -= MINUTE_MS) {
    const at = new Date(time)
    const digest = {
      min: at.getUTCMinutes(),
      hour: at.getUTCHours(),
      date: at.getUTCDate(),
      month: at.getUTCMonth() + 1,
      dow: at.getUTCDay(),
    }
    if (item.match(digest)) {
      return time
    }
  }
  return undefined
}
