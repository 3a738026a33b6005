import { describeHolder, FRONTIER_HELD_ALARM_S, frontierHolders } from '../../audit/index.ts'
import { describeLeaderLock, leaderLockHolders } from '../../operations/index.ts'
import type { Check } from './check.ts'
import { onDatabase } from './on-database.ts'

/** A long-running transaction in any database of the cluster prevents rows from being sealed. */
export const frontier: Check = {
  name: 'sealing frontier',
  run: onDatabase('worker', async (database, { actor }) => {
    const held = (await frontierHolders(database, actor)).filter(
      ({ ageSeconds }) => (ageSeconds ?? 0) >= FRONTIER_HELD_ALARM_S,
    )
    const found = [
      ...held.map(describeHolder),
      ...(await leaderLockHolders(database, actor)).map(describeLeaderLock),
    ]
    if (found.length === 0) return { ok: true, detail: 'nothing delays the sealer' }
    return {
      ok: false,
      detail: found.join('; '),
      hint: 'end that session with pg_terminate_backend(pid), or rollback prepared',
    }
  }),
}
