import { anonymous, type Database } from '../../../postgres/index.ts'
import type { VerifyReport } from './problems.ts'

/** Problems that an alarm carries; the whole report is in the row of the verification. */
const ALARM_PROBLEMS = 20

/** Keeps what a verification found, and raises the alarm when it found something. */
export async function recordVerification(
  database: Database,
  startedAt: Date,
  report: VerifyReport,
): Promise<void> {
  await database.transaction(anonymous, async (session) => {
    await session.query('insert into audit.verifications (started_at, ok, report) values ($1, $2, $3)', [
      startedAt.toISOString(),
      report.ok,
      JSON.stringify(report),
    ])
    if (report.ok) return
    const problems = report.logs.flatMap((log) =>
      log.problems.map((problem) => ({ log: log.log, ...problem })),
    )
    await session.query('select audit.alert_audit_log_tampering($1)', [
      JSON.stringify({ count: problems.length, problems: problems.slice(0, ALARM_PROBLEMS) }),
    ])
  })
}

export interface LastVerification {
  /** ISO 8601 in UTC. */
  readonly at: string
  readonly ok: boolean
  readonly problems: number
}

export async function lastVerification(database: Database): Promise<LastVerification | null> {
  const { rows } = await database.transaction(anonymous, (session) =>
    session.query<LastVerification>(
      `select finished_at as at, ok,
              (select coalesce(sum(jsonb_array_length(log -> 'problems')), 0)::integer from jsonb_array_elements(report -> 'logs') log) as problems
       from audit.verifications order by finished_at desc limit 1`,
    ),
  )
  return rows[0] ?? null
}
