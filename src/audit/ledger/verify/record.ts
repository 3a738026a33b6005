import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { markSlices, markUnits, markVerified, objectUnit, SLICE_ENTRIES } from './marks.ts'
import type { LogReport, VerifyReport } from './problems.ts'

/** Problems that an alarm carries; the whole report is in the row of the verification. */
const ALARM_PROBLEMS = 20

/**
 * Stores the report of a verification and raises an alarm for problems. For a log without problems the next
 * incremental verification resumes here.
 *
 * @param objects archived objects that were hashed, by log
 */
export async function recordVerification(
  database: Database,
  actor: Actor,
  startedAt: Date,
  report: VerifyReport,
  objects: ReadonlyMap<string, readonly string[]> = new Map(),
): Promise<void> {
  await database.transaction(actor, async (session) => {
    await session.query(
      'insert into akashi_audit.verifications (started_at, mode, ok, report) values ($1, $2, $3, $4)',
      [startedAt.toISOString(), report.mode, report.ok, JSON.stringify(report)],
    )
    if (report.mode !== 'scrub') {
      for (const log of report.logs) await markChecked(session, log, startedAt, objects.get(log.log) ?? [])
    }
    if (report.ok) return
    const problems = report.logs.flatMap((log) =>
      log.problems.map((problem) => ({ log: log.log, ...problem })),
    )
    await session.query('select akashi_audit.alert_audit_log_tampering($1)', [
      JSON.stringify({
        mode: report.mode,
        count: problems.length,
        problems: problems.slice(0, ALARM_PROBLEMS),
      }),
    ])
  })
}

async function markChecked(
  session: Session,
  log: LogReport,
  at: Date,
  objects: readonly string[],
): Promise<void> {
  const from = BigInt(log.from)
  await markSlices(session, log.log, (from + SLICE_ENTRIES - 1n) / SLICE_ENTRIES, BigInt(log.size), at)
  await markUnits(session, log.log, objects.map(objectUnit), at)
  if (log.problems.length === 0) await markVerified(session, log, at)
}

export interface LastVerification {
  /** ISO 8601 in UTC. */
  readonly at: string
  /** Whether neither the last full verification nor any later one found a problem. */
  readonly ok: boolean
  /** Of the last one that found something. */
  readonly problems: number
}

/** The result of the last full verification and those after it; a partial verification does not clear earlier problems. */
export async function lastVerification(database: Database, actor: Actor): Promise<LastVerification | null> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<LastVerification>(
        `with since as (
         select v.finished_at, v.ok, v.report from akashi_audit.verifications v
         where v.finished_at >= coalesce((select max(finished_at) from akashi_audit.verifications where mode = 'full'), '-infinity')
       )
       select max(finished_at) as at, bool_and(ok) as ok,
              coalesce((select (select sum(jsonb_array_length(log -> 'problems')) from jsonb_array_elements(w.report -> 'logs') log)::integer
                        from since w where not w.ok order by w.finished_at desc limit 1), 0) as problems
       from since having count(*) > 0`,
      ),
    { readOnly: true },
  )
  return rows[0] ?? null
}
