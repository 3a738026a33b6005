/**
 * Witnesses that cosigned a history different from that of the log: an alarm that stays until it is resolved.
 */
import type { Actor, Database } from '../../../postgres/index.ts'
import { type Alarm, setAlarms, standingAlarms } from '../alarms.ts'
import type { WitnessOutcome } from './submit.ts'

/** The subject of an alarm, which stays the same from one minute to the next. */
function subjectOf({ witness, log }: Pick<WitnessOutcome, 'witness' | 'log'>): string {
  return `witness ${witness}, log ${log}`
}

/**
 * Raises an alarm for each refusal that shows a fork or a log that was cut back. A witness that cannot be
 * reached does not clear its alarm; one that is no longer trusted does.
 */
export async function watchWitnesses(
  database: Database,
  actor: Actor,
  outcomes: readonly WitnessOutcome[],
): Promise<readonly Alarm[]> {
  const stood = await standingAlarms(database, actor, ['witness_conflict'])
  const alarms = outcomes.flatMap((outcome): Alarm[] => {
    const subject = subjectOf(outcome)
    if (outcome.cosigned !== null) return []
    if (outcome.error?.code !== 'integrity') return stood.filter((alarm) => alarm.subject === subject)
    return [{ subject, detail: 'it cosigned another history, or more of it, than the log has' }]
  })
  await setAlarms(database, actor, 'witness_conflict', 'critical', alarms)
  return alarms
}
