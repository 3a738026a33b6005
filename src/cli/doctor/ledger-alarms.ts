import { standingAlarms } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import { findConnections } from '../../start/index.ts'
import type { Check } from './check.ts'

/** A log that is not sealed, and a witness that cosigned another history. */
export const ledgerAlarms: Check = {
  name: 'ledger alarms',
  run: async ({ config, actor }) => {
    try {
      const database = (await findConnections(config, null)).open('worker', { poolSize: 1 })
      try {
        const alarms = await standingAlarms(database, actor, [
          'audit_catalog_changed',
          'audit_trigger_disabled',
          'ledger_not_sealed',
          'witness_conflict',
        ])
        if (alarms.length === 0) return { ok: true, detail: 'no alarm of the ledger stands' }
        return {
          ok: false,
          detail: alarms.map(({ subject, detail }) => `${subject}: ${detail}`).join('; '),
          hint: 'run akashi verify; docs/runbooks/ledger.md says what each alarm means',
        }
      } finally {
        await database.close()
      }
    } catch (error) {
      // Whether a database runs and is migrated, other checks say.
      if (!(error instanceof AkashiError)) throw error
      return { ok: true, detail: `not examined: ${error.message}` }
    }
  },
}
