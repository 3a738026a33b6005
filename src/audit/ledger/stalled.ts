/** Logs that are not being sealed although nothing holds their frontier, so that later rows wait too. */

import { setTimeout as sleep } from 'node:timers/promises'
import { given } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { type Alarm, setAlarms } from './alarms.ts'
import { type LogDefinition, logs } from './logs.ts'
import { firstWaitingRow, lookForRows } from './next-rows.ts'

/** Milliseconds for which the row that comes next may wait. A sealer needs one, another process that takes over a few seconds. */
export const SEALING_STALLED_MS = 15_000

/** Raises an alarm for each log whose next row is still the next one after a while, and names that row. */
export async function watchSealing(
  database: Database,
  actor: Actor,
  {
    stalledMs = SEALING_STALLED_MS,
    signal,
  }: { readonly stalledMs?: number; readonly signal?: AbortSignal } = {},
): Promise<readonly Alarm[]> {
  const before = await nextRows(database, actor)
  const alarms: Alarm[] = []
  if (before.size > 0) {
    await sleep(stalledMs, undefined, given({ signal }))
    const after = await nextRows(database, actor)
    for (const [{ log }, row] of after) {
      const same = [...before].find(([earlier]) => earlier.log === log)?.[1] === row
      if (same) alarms.push({ subject: `log ${log}`, detail: `nothing is sealed: row ${row} waits` })
    }
  }
  await setAlarms(database, actor, 'ledger_not_sealed', 'critical', alarms)
  return alarms
}

/** The id of the row that comes next, for each log that has one. */
async function nextRows(database: Database, actor: Actor): Promise<Map<LogDefinition, string>> {
  const rows = new Map<LogDefinition, string>()
  const waiting = await database.transaction(actor, lookForRows, { readOnly: true })
  for (const log of logs.filter((each) => waiting.has(each.log))) {
    const row = await firstWaitingRow(database, actor, log)
    if (row !== undefined) rows.set(log, row.id)
  }
  return rows
}
