import { AkashiError } from '../../foundation/index.ts'
import { describeShortening, pendingShortenings } from '../../lifecycle/index.ts'
import { findConnections } from '../../start/index.ts'
import type { Check } from './check.ts'

/** Somebody had the record deleted earlier than before; there is still time to stop it. */
export const retention: Check = {
  name: 'retention of the record',
  run: async ({ config, actor }) => {
    try {
      const database = (await findConnections(config, null)).open('worker', { poolSize: 1 })
      try {
        const found = (await pendingShortenings(database, actor)).map(describeShortening)
        if (found.length === 0) return { ok: true, detail: 'no shorter retention of a log is waiting' }
        return {
          ok: false,
          detail: found.join('; '),
          hint: 'unless it is meant, set the former policy again: akashi archive policy set',
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
