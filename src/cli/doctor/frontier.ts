import { describeHolder, FRONTIER_HELD_ALARM_S, frontierHolders } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import { describeLeaderLock, leaderLockHolders } from '../../operations/index.ts'
import { findConnections } from '../../start/index.ts'
import type { Check } from './check.ts'

/** A transaction that stays open, in any database of the cluster, keeps rows from being sealed. */
export const frontier: Check = {
  name: 'sealing frontier',
  run: async ({ config, actor }) => {
    try {
      const database = (await findConnections(config, null)).open('worker', { poolSize: 1 })
      try {
        const held = (await frontierHolders(database, actor)).filter(
          ({ ageSeconds }) => (ageSeconds ?? 0) >= FRONTIER_HELD_ALARM_S,
        )
        const found = [
          ...held.map(describeHolder),
          ...(await leaderLockHolders(database, actor)).map(describeLeaderLock),
        ]
        if (found.length === 0) return { ok: true, detail: 'nobody holds the sealer up' }
        return {
          ok: false,
          detail: found.join('; '),
          hint: 'end that session: pg_terminate_backend(pid), or rollback prepared',
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
