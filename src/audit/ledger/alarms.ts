/**
 * Alarms in effect: each raises one security event when it begins, and ends when it is no longer reported.
 */
import type { Actor, Database } from '../../postgres/index.ts'

export type AlarmKind =
  | 'audit_catalog_changed'
  | 'audit_trigger_disabled'
  | 'ledger_frontier_held'
  | 'ledger_not_sealed'
  | 'leader_lock_held'
  | 'witness_conflict'

export interface Alarm {
  /** What is wrong: a table, a log, a process. */
  readonly subject: string
  /** What is wrong with it. An alarm with another detail is another one. */
  readonly detail: string
}

/**
 * Replaces the alarms of one kind by these; `critical` and `high` are severities of security events. Nothing is written
 * while there are none and were none, which is asked with a reader's transaction.
 */
export async function setAlarms(
  database: Database,
  actor: Actor,
  kind: AlarmKind,
  severity: 'critical' | 'high',
  alarms: readonly Alarm[],
): Promise<void> {
  if (alarms.length === 0 && (await standingAlarms(database, actor, [kind])).length === 0) return
  await database.transaction(actor, (session) =>
    session.query('select akashi_audit.watch_alarms($1, $2, $3)', [
      kind,
      severity,
      JSON.stringify(alarms.map(({ subject, detail }) => ({ subject, detail }))),
    ]),
  )
}

/** The current alarms of these kinds. */
export async function standingAlarms(
  database: Database,
  actor: Actor,
  kinds: readonly AlarmKind[],
): Promise<(Alarm & { readonly kind: AlarmKind })[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Alarm & { kind: AlarmKind }>(
        `select kind, subject, detail from akashi_audit.standing_alarms where kind = any ($1::text[])
         order by kind, subject, detail`,
        [kinds],
      ),
    { readOnly: true },
  )
  return rows
}
