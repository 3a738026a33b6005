/** What is checked every minute: the triggers and the code of the record, and what keeps rows from being sealed. */
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { setAlarms } from './alarms.ts'
import { logs } from './logs.ts'
import { catalogProblems, type Difference } from './manifest/index.ts'

/** Objects that are alarms one by one; a database of another version differs in all of them. */
const MAX_CATALOG_ALARMS = 100

/**
 * A transaction that holds the frontier this long raises an alarm, in seconds: rows after it wait to be
 * sealed.
 */
export const FRONTIER_HELD_ALARM_S = 60

export interface FrontierHolder {
  /** null for a prepared transaction, which has no process. */
  readonly pid: number | null
  readonly database: string
  readonly login: string | null
  readonly applicationName: string | null
  readonly state: string | null
  /** Name of a prepared transaction. */
  readonly prepared: string | null
  /** Seconds since its transaction began; null if the server does not show it. */
  readonly ageSeconds: number | null
}

/** The transactions that the sealer waits for, in any database of the cluster: usually none or one. */
export async function frontierHolders(database: Database, actor: Actor): Promise<FrontierHolder[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<FrontierHolder>(
        `select pid, database, login, application_name as "applicationName", state, prepared, age_seconds as "ageSeconds"
         from akashi_audit.frontier_holders()`,
      ),
    { readOnly: true },
  )
  return rows
}

/** One line that identifies its owner. */
export function describeHolder(holder: FrontierHolder): string {
  const { pid, prepared, database, login, applicationName, state, ageSeconds } = holder
  const who =
    pid === null ? `prepared transaction ${prepared}` : `process ${pid} (${state ?? 'state unknown'})`
  const application =
    applicationName === null || applicationName === '' ? '' : `, application ${applicationName}`
  const age = ageSeconds === null ? 'for an unknown time' : `for ${Math.floor(ageSeconds)} s`
  return `${who} of ${login ?? 'an unknown login'} in database ${database}${application} holds the frontier ${age}`
}

export interface Alarms {
  /** Triggers of the record that are not as they should be. */
  readonly triggers: readonly { readonly table: string; readonly problem: string }[]
  /**
   * Objects that the proof depends on and that differ from what the program ships, or were changed without a
   * record.
   */
  readonly catalog: readonly Difference[]
  /** Transactions that hold the frontier for {@link FRONTIER_HELD_ALARM_S} or longer. */
  readonly holders: readonly FrontierHolder[]
}

/** Checks, and raises an alarm (a security event and a notification) for each new problem. */
export async function watchLedger(
  database: Database,
  actor: Actor,
  heldSeconds = FRONTIER_HELD_ALARM_S,
): Promise<Alarms> {
  const holders = (await frontierHolders(database, actor)).filter(
    ({ ageSeconds }) => (ageSeconds ?? 0) >= heldSeconds,
  )
  const triggers = await database.transaction(actor, triggerProblems, { readOnly: true })
  await setAlarms(
    database,
    actor,
    'audit_trigger_disabled',
    'critical',
    triggers.map(({ table, problem }) => ({ subject: table, detail: problem })),
  )
  await setAlarms(
    database,
    actor,
    'ledger_frontier_held',
    'high',
    holders.map((holder) => ({ subject: holderName(holder), detail: holder.login ?? '' })),
  )
  const differences = await database.transaction(actor, catalogProblems, { readOnly: true })
  const catalog = differences.slice(0, MAX_CATALOG_ALARMS)
  await setAlarms(
    database,
    actor,
    'audit_catalog_changed',
    'critical',
    catalog.map(({ object, detail }) => ({ subject: object, detail })),
  )
  return { triggers, catalog, holders }
}

async function triggerProblems(session: Session): Promise<{ table: string; problem: string }[]> {
  const { rows } = await session.query<{ table: string; problem: string }>(
    `select p."table"::text as "table", p.problem from unnest($1::text[]) l, lateral akashi_audit.trigger_problems(l) p`,
    [logs.map(({ log }) => log)],
  )
  return rows
}

/** Identifies the transaction without its age, so that it raises one alarm. */
function holderName({ pid, prepared, database, applicationName }: FrontierHolder): string {
  return `${pid === null ? `prepared ${prepared}` : `process ${pid}`}, database ${database}, application ${applicationName ?? ''}`
}
