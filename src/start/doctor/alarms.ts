import type { Alarm } from '@akashi/contract'
import { type ConditionName, conditionOf, isCondition, openAlarms } from '../../operations/index.ts'
import type { Check, Finding } from './check.ts'
import { onDatabase } from './on-database.ts'

/** The check that verifies the cause of an alarm again, so that one problem is counted once. */
const lookedAtBy: Partial<Record<ConditionName, string>> = {
  disk: 'disk',
  data_not_writable: 'data folder',
  store_away: 'object store',
  store_not_owned: 'object store owner',
  losses: 'audit losses',
  frontier_held: 'sealing frontier',
  leader_lock: 'sealing frontier',
  seal_lag: 'ledger alarms',
  ledger_watch: 'ledger alarms',
  witness_conflict: 'ledger alarms',
  crosscheck_discrepancy: 'cross-check',
  crosscheck_stopped: 'cross-check',
  retention_shortened: 'retention of the record',
  wal_kept: 'WAL for backups',
  backup_age: 'recovery',
  restorable_stands_still: 'recovery',
  drill_failed: 'recovery',
  drill_age: 'recovery',
}

/** The conditions that workers check continuously; other checks verify some of them again. */
export const alarms: Check = {
  name: 'alarms',
  run: onDatabase('worker', async (database, { actor, wrong }) =>
    judgeAlarms(await openAlarms(database, actor), wrong),
  ),
}

/** @param wrong names of the checks that found something wrong themselves */
export function judgeAlarms(
  found: readonly Pick<Alarm, 'condition' | 'subject' | 'severity' | 'detail' | 'silenced'>[],
  wrong: ReadonlySet<string>,
): Finding {
  const heard = found.filter(({ silenced }) => !silenced)
  const open = heard.filter(({ condition }) => {
    const check = isCondition(condition) ? lookedAtBy[condition] : undefined
    return check === undefined || !wrong.has(check)
  })
  if (open.length === 0) {
    const counted = heard.map(({ condition }) => condition).join(', ')
    return {
      ok: true,
      detail: counted === '' ? 'no alarm is open' : `open, and already counted above: ${counted}`,
    }
  }
  const [first] = open
  const action =
    first !== undefined && isCondition(first.condition) ? conditionOf(first.condition).en[1] : undefined
  return {
    ok: false,
    detail: open
      .map(
        ({ severity, condition, subject, detail }) =>
          `${severity} ${condition}${subject === '' ? '' : ` ${subject}`}: ${detail}`,
      )
      .join('; '),
    hint: `akashi alarms shows what to do about each${action === undefined ? '' : `; the first: ${action}`}`,
  }
}
