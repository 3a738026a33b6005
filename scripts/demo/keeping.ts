/** Retention: closed days in the archive, every second in the backups. */
import { runShown, type Stage, Unexpected } from './stage.ts'

/** One table only: the other partitions of the demo are of this month. */
const EVENTS = 'akashi_security.security_events'
const TABLE = 'shop.orders'

/** Archives the day of the log to Parquet, then queries and verifies it there. */
export async function archiveEvents({ terminal, text, run }: Stage): Promise<void> {
  await terminal.heading(text.archive)
  await terminal.say(text.archiveSaid)
  const { stdout: archived } = await run(['archive', 'run', '--table', EVENTS])
  if (!archived.includes('dropped')) throw new Unexpected('partitions dropped from PostgreSQL')
  const { stdout: answer } = await run([
    'query',
    `select source_ip, count(*) as failures from security_events
where event_type = 'authentication_failure' group by all order by 2 desc, 1 limit 5`,
  ])
  if (!/[1-9]\d* archived objects?/.test(answer)) throw new Unexpected('a result from archived objects')
  const { stdout: verified } = await run(['verify'])
  const checked = /security_events: (\d+) entries, \1 rows checked/.exec(verified)?.[1]
  if (checked === undefined) throw new Unexpected('every archived event verified')
  await terminal.good(text.archived(Number(checked)))
}

/** Restores one table from the backups as of a moment ago. */
export async function restoreTable(stage: Stage): Promise<void> {
  const { terminal, text, run, ask } = stage
  await terminal.heading(text.mishap)
  const moment = await stage.superuser.direct(async (session) => {
    const { rows } = await session.query<{ at: string }>('select clock_timestamp() as at')
    await runShown(stage, session, [`delete from ${TABLE}`])
    return rows[0]?.at ?? ''
  })
  await terminal.say(text.mishapSaid)
  await run(['restore', '--table', TABLE, '--at', moment, '--apply', '--reason', 'a WHERE was missing'])
  const recorded = await ask<{ what: string; why: string | null }>(
    `select coalesce(operation, event_type) as what, record_id as key,
       new_values->'total' as total, db_user as by, detail->>'reason' as why
from akashi_audit.audit_logs where schema_name = 'shop' or resource = '${TABLE}'
order by seq desc limit 4`,
  )
  const seen = recorded.map(({ what }) => what).toReversed()
  if (seen.join() !== 'DELETE,data_access,INSERT,table_restored')
    throw new Unexpected(`the restore in the audit trail (${seen})`)
  await terminal.good(text.broughtBack)
}
