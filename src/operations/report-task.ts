import { AkashiError, type App, systemClock } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Database } from '../postgres/index.ts'
import { listReports, makeReport, monthBefore, monthOf } from '../report/index.ts'
import type { Task } from './schedule/index.ts'

export interface ReportParts {
  /** Of the role `security_admin`. */
  readonly securityAdmin: Database
  readonly keyring: Keyring
  readonly store: ObjectStore
  readonly app: App
}

/** The compliance report of the month that ended, unless it was made since. */
export function reportTasks(parts: ReportParts): Readonly<Record<string, Task>> {
  return {
    'report.monthly': async ({ worker, actor, signal }) => {
      const clock = systemClock
      const timeZone = await readTimeZone(worker, actor)
      const month = monthBefore(monthOf(clock.now(), timeZone))
      const made = (await listReports(worker, actor, { month })).find(
        ({ createdAt }) => monthOf(new Date(createdAt), timeZone) > month,
      )
      if (made !== undefined) return { skipped: `the report ${made.id} was created before` }
      const { document } = await makeReport({ ...parts, worker, clock, actor, signal }, month)
      return { report: document.id, month, verdict: document.verdict }
    },
  }
}

async function readTimeZone(...[worker, actor]: [Database, Parameters<Task>[0]['actor']]): Promise<string> {
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<{ zone: string }>(
        `select akashi_lifecycle.setting('organisation.time_zone') #>> '{}' as zone`,
      ),
    { readOnly: true },
  )
  const [row] = rows
  if (row === undefined) throw new AkashiError('internal', 'a setting is missing')
  return row.zone
}
