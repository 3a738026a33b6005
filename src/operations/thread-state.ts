import {
  countPending,
  emptyRoot,
  frontierHolders,
  lastVerification,
  logs,
  oldestUncheckedSeconds,
  readHead,
  unsettledLosses,
} from '../audit/index.ts'
import { partitionStatus } from '../lifecycle/index.ts'
import { anonymous, type Database } from '../postgres/index.ts'
import { drillState } from './drills.ts'

/** Where the thread from event and change to ledger stands. */
export interface ThreadState {
  /** Security events kept in PostgreSQL or sealed, as a decimal. */
  readonly events: string
  /** Rows of the audit trail, likewise. */
  readonly auditRows: string
  /** `schema.table` of every table under audit. */
  readonly protectedTables: readonly string[]
  readonly logs: readonly {
    readonly log: string
    readonly epoch: number
    /** Entries, as a decimal. */
    readonly size: string
    /** Base64. */
    readonly root: string
    /** ISO 8601 in UTC; null before the first entry. */
    readonly sealedAt: string | null
    /** Rows that wait to be sealed. */
    readonly pending: number
  }[]
  readonly lastVerification: { readonly at: string; readonly ok: boolean; readonly problems: number } | null
  /** Seconds since the part of the ledger that was hashed longest ago was hashed. */
  readonly oldestUncheckedSeconds: number
  /** Seconds for which the oldest open transaction has kept rows from being sealed; 0 while none does. */
  readonly frontierHeldSeconds: number
  /** Statements whose changes were made and not recorded, and which nobody settled. */
  readonly losses: number
  readonly partitions: readonly {
    readonly table: string
    readonly coveredUntil: string | null
    readonly alarm: boolean
  }[]
  /** Recovery drills: seconds since one passed, and whether that is too long or the last one failed. */
  readonly drills: { readonly passedSeconds: number; readonly alarm: boolean }
  readonly checkedAt: string
}

export async function threadState(database: Database, signal?: AbortSignal): Promise<ThreadState> {
  const options = signal === undefined ? {} : { signal }
  const { states, tables } = await database.transaction(
    anonymous,
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
      const { rows } = await session.query<{ name: string }>(
        `select schema_name || '.' || table_name as name from audit.protected_tables order by 1`,
      )
      return { states: found, tables: rows.map((row) => row.name) }
    },
    { readOnly: true, isolation: 'repeatable read', ...options },
  )
  const rows = (log: string) => {
    const state = states.find((candidate) => candidate.log === log)
    return (BigInt(state?.size ?? 0) + BigInt(state?.pending ?? 0)).toString()
  }
  const drills = await drillState(database)
  return {
    events: rows('security_events'),
    auditRows: rows('audit_logs'),
    protectedTables: tables,
    logs: states,
    lastVerification: await lastVerification(database),
    oldestUncheckedSeconds: await oldestUncheckedSeconds(database),
    frontierHeldSeconds: Math.max(
      0,
      ...(await frontierHolders(database)).map(({ ageSeconds }) => ageSeconds ?? 0),
    ),
    losses: (await unsettledLosses(database)).reduce((sum, { statements }) => sum + statements, 0),
    partitions: (await partitionStatus(database, undefined, options)).map(
      ({ table, coveredUntil, alarm }) => ({
        table,
        // A partition without an end covers whatever comes.
        coveredUntil: coveredUntil === 'infinity' ? null : coveredUntil,
        alarm,
      }),
    ),
    drills: { passedSeconds: drills.passedSeconds, alarm: drills.missed || !drills.lastOk },
    checkedAt: new Date().toISOString(),
  }
}
