import { crosscheckObstacle, crosscheckStatus, listGaps } from '../../audit/index.ts'
import type { Check } from './check.ts'
import { onDatabase } from './on-database.ts'

/** Bytes that may wait to be compared, such as during a restart. */
const BEHIND_BYTES = 256 * 1024 * 1024

/** What the comparison of the trail with the write-ahead log has not covered, and what it found. */
export const crosscheck: Check = {
  name: 'cross-check',
  run: onDatabase('worker', async (database, { actor }, connections) => {
    const { state, discrepancies, gaps, lagBytes, transactions } = await crosscheckStatus(database, actor)
    if (discrepancies > 0) {
      return {
        ok: false,
        detail: `${discrepancies} discrepancies between the trail and the write-ahead log are not settled`,
        hint: 'akashi crosscheck discrepancies lists them',
      }
    }
    if (state === 'stopped') {
      return {
        ok: false,
        detail: 'no process reads the replication slot of the cross-check, and WAL is waiting for it',
        hint: 'start akashi up or akashi work; if they run, akashi crosscheck repair',
      }
    }
    if (state === 'off') {
      const [gap] = await listGaps(database, actor, { limit: 1 })
      const obstacle = await crosscheckObstacle(connections.directUrl('backup'))
      return {
        ok: true,
        detail: `changes are not compared with the write-ahead log: ${obstacle ?? gap?.detail ?? 'it has not started'}`,
        hint: 'it needs wal_level = logical and a login with the replication privilege; akashi up and akashi work start it',
      }
    }
    if ((lagBytes ?? 0) > BEHIND_BYTES) {
      return {
        ok: false,
        detail: `the cross-check is ${lagBytes} bytes of WAL behind`,
        hint: 'check whether the worker has enough CPU time',
      }
    }
    return {
      ok: true,
      detail: `${transactions} transactions compared with the write-ahead log, no discrepancies${gaps > 0 ? `; ${gaps} gaps: akashi crosscheck gaps` : ''}`,
    }
  }),
}
