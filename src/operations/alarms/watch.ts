/** One round of alarms: every condition is checked, and those that hold are reported. */
import { type Actor, readTogether } from '../../postgres/index.ts'
import { type Loop, runLoop } from '../loops.ts'
import { conditionOf } from './conditions.ts'
import type { AlarmParts, Found, Look, Watch } from './look.ts'
import { backupLooks } from './look-at-backups.ts'
import { recordLooks } from './look-at-record.ts'
import { serverLooks } from './look-at-server.ts'
import { workLooks } from './look-at-work.ts'
import { type AlarmSettings, readAlarmSettings } from './settings.ts'

/** Milliseconds between two rounds. */
const ROUND_MS = 30_000
/** Time limit of one check in milliseconds; a slower one is ignored in this round. */
const LOOK_TIMEOUT_MS = 20_000

const looks: readonly Look[] = [...serverLooks, ...recordLooks, ...backupLooks, ...workLooks]

/** What each of the conditions found; those that failed are logged and left out. */
async function lookAtAll(round: Round): Promise<ReadonlyMap<Look, readonly Found[]>> {
  const seen = new Map<Look, readonly Found[]>()
  const settings = await lookTogether(round, seen).catch(() => {
    round.signal.throwIfAborted()
    // One of them failed, and those after it with it: one by one, the others succeed, and the log says which it was.
    return readAlarmSettings(round.worker, round.actor)
  })
  for (const each of looks) {
    if (seen.has(each)) continue
    try {
      seen.set(each, await lookInTime({ ...round, settings }, each))
    } catch (error) {
      round.signal.throwIfAborted()
      round.log.warn(
        { conditions: each.conditions, err: error },
        'the conditions of alarms could not be checked',
      )
    }
  }
  return seen
}

type Round = Omit<Watch, 'settings'>

/** Those that ask the database, in one transaction. Fails with the first that does. */
async function lookTogether(round: Round, seen: Map<Look, readonly Found[]>): Promise<AlarmSettings> {
  const late = new AbortController()
  return await readTogether(
    round.worker,
    round.actor,
    async (worker) => {
      const settings = await readAlarmSettings(worker, round.actor)
      for (const each of looks.filter(({ elsewhere }) => elsewhere !== true)) {
        seen.set(each, await lookInTime({ ...round, worker, settings }, each, () => late.abort()))
      }
      return settings
    },
    AbortSignal.any([round.signal, late.signal]),
  )
}

/** @param onLate called while it still looks, after its time is over */
async function lookInTime(watch: Watch, { look }: Look, onLate: () => void = () => undefined) {
  watch.signal.throwIfAborted()
  const limit = AbortSignal.timeout(LOOK_TIMEOUT_MS)
  limit.addEventListener('abort', onLate)
  try {
    return await look({ ...watch, signal: AbortSignal.any([watch.signal, limit]) })
  } finally {
    limit.removeEventListener('abort', onLate)
  }
}

/** @returns what was checked, what holds, and how many alarms opened and cleared */
export async function watchAlarms(
  parts: AlarmParts,
  actor: Actor,
  {
    now = new Date(),
    signal = new AbortController().signal,
  }: { readonly now?: Date; readonly signal?: AbortSignal } = {},
) {
  const seen = await lookAtAll({ ...parts, actor, signal, now })
  const lookedAt = [...seen.keys()].flatMap(({ conditions }) => conditions)
  const found = [...seen.values()].flat()
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
