/** One round of alarms: every condition is checked, and those that hold are reported. */
import type { Actor } from '../../postgres/index.ts'
import { type Loop, runLoop } from '../loops.ts'
import { type ConditionName, conditionOf } from './conditions.ts'
import type { AlarmParts, Found, Look } from './look.ts'
import { backupLooks } from './look-at-backups.ts'
import { recordLooks } from './look-at-record.ts'
import { serverLooks } from './look-at-server.ts'
import { workLooks } from './look-at-work.ts'
import { readAlarmSettings } from './settings.ts'

/** Milliseconds between two rounds. */
const ROUND_MS = 30_000
/** Time limit of one check in milliseconds; a slower one is ignored in this round. */
const LOOK_TIMEOUT_MS = 20_000

const looks: readonly Look[] = [...serverLooks, ...recordLooks, ...backupLooks, ...workLooks]

/** @returns what was checked, what holds, and how many alarms opened and cleared */
export async function watchAlarms(
  parts: AlarmParts,
  actor: Actor,
  {
    now = new Date(),
    signal = new AbortController().signal,
  }: { readonly now?: Date; readonly signal?: AbortSignal } = {},
) {
  const settings = await readAlarmSettings(parts.worker, actor)
  const lookedAt: ConditionName[] = []
  const found: Found[] = []
  for (const { conditions, look } of looks) {
    signal.throwIfAborted()
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)])
    try {
      found.push(...(await look({ ...parts, actor, settings, signal: limit, now })))
      lookedAt.push(...conditions)
    } catch (error) {
      signal.throwIfAborted()
      parts.log.warn({ conditions, err: error }, 'the conditions of alarms could not be checked')
    }
  }
  const { rows } = await parts.worker.transaction(actor, (session) =>
    session.query<{ opened: number; cleared: number }>(
      'select opened, cleared from akashi_lifecycle.report_alarms($1, $2)',
      [lookedAt, JSON.stringify(found.map(complete))],
    ),
  )
  return { lookedAt, found, opened: rows[0]?.opened ?? 0, cleared: rows[0]?.cleared ?? 0 }
}

function complete({ condition, subject = '', detail, value, seconds }: Found) {
  const defined = conditionOf(condition)
  return {
    condition,
    subject: subject.slice(0, 255),
    severity: defined.severity,
    detail,
    value,
    seconds: seconds ?? defined.seconds ?? 0,
  }
}

/** One process at a time; not a job, so that it also reports jobs that do not run. */
export function alarmLoop(parts: AlarmParts & { readonly signal: AbortSignal }): Loop {
  const { worker, signal, log } = parts
  return runLoop({
    name: 'alarms',
    worker,
    intervalMs: ROUND_MS,
    signal,
    log,
    work: (context) => watchAlarms(parts, context.actor, { signal: context.signal }),
  })
}
