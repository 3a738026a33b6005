import { standingAlarms } from '../../audit/index.ts'
import type { Check } from './check.ts'
import { onDatabase } from './on-database.ts'

/** A log that is not sealed, and a witness that cosigned another history. */
export const ledgerAlarms: Check = {
  name: 'ledger alarms',
  run: onDatabase('worker', async (database, { actor }) => {
    const alarms = await standingAlarms(database, actor, [
      'audit_catalog_changed',
      'audit_trigger_disabled',
      'ledger_not_sealed',
      'witness_conflict',
    ])
    if (alarms.length === 0) return { ok: true, detail: 'no alarm of the ledger is open' }
    return {
      ok: false,
      detail: alarms.map(({ subject, detail }) => `${subject}: ${detail}`).join('; '),
      hint: 'run akashi verify; docs/runbooks/ledger.md explains each alarm',
    }
  }),
}
