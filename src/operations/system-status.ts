import type { SystemStatus } from '@akashi/contract'
import {
  countPending,
  crosscheckStatus,
  emptyRoot,
  frontierHolders,
  lastVerification,
  logs,
  oldestUncheckedSeconds,
  protectedTables,
  readHead,
  standingAlarms,
  unsettledLosses,
} from '../audit/index.ts'
import { detectionState } from '../detection/index.ts'
import { given } from '../foundation/index.ts'
import { partitionStatus, pendingShortenings } from '../lifecycle/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { alarmsLookedAt, openAlarms } from './alarms/index.ts'
import { backupState } from './backup-state.ts'
import { diskOf } from './disk.ts'
import { drillState } from './drills.ts'
import { leaderLockHolders } from './leader-locks.ts'
import { isReadOnly, readInstallation } from './store-ownership.ts'

/**
 * Counts of rows, the state of sealing, and the result of the last verification.
 *
 * @param options.data folder of an embedded server's data
 */
export async function systemStatus(
  database: Database,
  actor: Actor,
  { data, signal }: { readonly data?: string | undefined; readonly signal?: AbortSignal } = {},
): Promise<SystemStatus> {
  const options = given({ signal })
  const { states, tables } = await database.transaction(
    actor,
    async (session) => {
      const found = []
      for (const log of logs) {
        const head = await readHead(session, log.log)
        const pending = await countPending(session, log, head)
        found.push({
          log: log.log,
          epoch: head?.epoch ?? 1,
          size: (head?.size ?? 0n).toString(),
          root: (head?.root ?? emptyRoot).toString('base64'),
          sealedAt: head?.sealedAt ?? null,
          pending,
        })
      }
      return { states: found, tables: await protectedTables(session) }
    },
    { readOnly: true, isolation: 'repeatable read', ...options },
  )
  const rows = (log: string) => {
    const state = states.find((candidate) => candidate.log === log)
    return (BigInt(state?.size ?? 0) + BigInt(state?.pending ?? 0)).toString()
  }
  const drills = await drillState(database, actor)
  return {
    events: rows('security_events'),
    auditRows: rows('audit_logs'),
    protectedTables: tables,
    logs: states,
    lastVerification: await lastVerification(database, actor),
    oldestUncheckedSeconds: await oldestUncheckedSeconds(database, actor),
    backups: await backupState(database, actor),
    disk: await diskOf(data),
    ownsObjectStore: !isReadOnly(await readInstallation(database, actor, signal)),
    frontierHeldSeconds: Math.max(
      0,
      ...(await frontierHolders(database, actor)).map(({ ageSeconds }) => ageSeconds ?? 0),
    ),
    leaderLocksHeld: (await leaderLockHolders(database, actor)).length,
    witnessConflicts: (await standingAlarms(database, actor, ['witness_conflict'])).length,
    retentionShortenings: (await pendingShortenings(database, actor)).length,
    crosscheck: await crosscheckStatus(database, actor),
    detection: await detectionState(database, actor),
    losses: (await unsettledLosses(database, actor)).reduce((sum, { statements }) => sum + statements, 0),
    partitions: (await partitionStatus(database, actor, undefined, options)).map(
      ({ table, coveredUntil, alarm }) => ({
        table,
        // A partition without an end covers the future.
        coveredUntil: coveredUntil === 'infinity' ? null : coveredUntil,
        alarm,
      }),
    ),
    drills: { passedSeconds: drills.passedSeconds, alarm: drills.missed || !drills.lastOk },
    alarms: (await openAlarms(database, actor)).map(({ condition, severity, subject, silenced }) => ({
      condition,
      severity,
      subject,
      silenced,
    })),
    alarmsLookedAt: await alarmsLookedAt(database, actor),
    checkedAt: new Date().toISOString(),
  }
}
