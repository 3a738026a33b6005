/** Reports of the cross-check: progress, discrepancies and gaps. */
import { setTimeout as sleep } from 'node:timers/promises'
import { requireReason } from '../../foundation/index.ts'
import {
  type Actor,
  type Database,
  formatLsn,
  type Lsn,
  parseLsn,
  type Session,
} from '../../postgres/index.ts'
import type { DiscrepancyKind } from './discrepancy.ts'
import { committedUpTo, type GapCause } from './progress.ts'
import { passedTables } from './traces.ts'

export interface Discrepancy {
  readonly id: string
  /** Times are ISO 8601 in UTC. */
  readonly foundAt: string
  readonly kind: DiscrepancyKind
  /** 32 bits, in decimal. */
  readonly xid: string | null
  readonly commitLsn: string | null
  readonly committedAt: string | null
  /** `schema.table` */
  readonly table: string | null
  readonly operation: string | null
  readonly recordId: string | null
  /** `unknown` if it cannot be determined. */
  readonly login: string
  readonly detail: string
  readonly settledAt: string | null
  readonly settledBy: string | null
  readonly explanation: string | null
}

export interface Gap {
  readonly id: string
  readonly startedAt: string
  /** null while it lasts. */
  readonly endedAt: string | null
  readonly cause: GapCause
  readonly startLsn: string | null
  readonly endLsn: string | null
  readonly detail: string
  readonly settledAt: string | null
  readonly settledBy: string | null
  readonly explanation: string | null
}

export interface CrosscheckStatus {
  /**
   * running: a process reads the slot. stopped: none does, and WAL is waiting. off: nothing is compared, see
   * the gaps.
   */
  readonly state: 'running' | 'stopped' | 'off'
  readonly comparedLsn: string | null
  readonly comparedAt: string | null
  /** Bytes of WAL that are written and not compared. */
  readonly lagBytes: number | null
  /** Since the cross-check began. */
  readonly transactions: number
  readonly changes: number
  /** Unsettled ones. */
  readonly discrepancies: number
  readonly gaps: number
}

const DISCREPANCY = `
  id, found_at as "foundAt", kind, xid::text, commit_lsn::text as "commitLsn", committed_at as "committedAt",
  schema_name || '.' || table_name as "table", operation, record_id as "recordId", coalesce(login, 'unknown') as login, detail,
  settled_at as "settledAt", settled_by as "settledBy", explanation`

const GAP = `
  id, started_at as "startedAt", ended_at as "endedAt", cause, start_lsn::text as "startLsn", end_lsn::text as "endLsn", detail,
  settled_at as "settledAt", settled_by as "settledBy", explanation`

export interface ListQuery {
  /** Settled ones too; default false. */
  readonly all?: boolean
  /** 1 to 1,000; default 100. */
  readonly limit?: number
}

/** Discrepancies, newest first. `database` is of the role `worker` or `security_admin`. */
export async function listDiscrepancies(
  database: Database,
  actor: Actor,
  { all = false, limit = 100 }: ListQuery = {},
): Promise<Discrepancy[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Discrepancy>(
        `select ${DISCREPANCY} from akashi_audit.crosscheck_discrepancies
         where $1 or settled_at is null order by found_at desc, id desc limit $2`,
        [all, limit],
      ),
    { readOnly: true },
  )
  return rows
}

/** Gaps, newest first: ranges of the write-ahead log that were not compared. */
export async function listGaps(
  database: Database,
  actor: Actor,
  { all = false, limit = 100 }: ListQuery = {},
): Promise<Gap[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Gap>(
        `select ${GAP} from akashi_audit.crosscheck_gaps
         where $1 or settled_at is null order by started_at desc, id desc limit $2`,
        [all, limit],
      ),
    { readOnly: true },
  )
  return rows
}

/**
 * Settles discrepancies and ended gaps with an explanation; they stay on record.
 *
 * @param ids default: all that are open, once everything that is committed is compared
 * @returns how many were settled
 * @throws invalid_input unless the explanation is one line of text
 */
export async function settleDiscrepancies(
  database: Database,
  actor: Actor,
  explanation: string,
  ids?: readonly string[],
): Promise<number> {
  requireReason(explanation, 'the explanation')
  // Problems that have just been fixed are reported as well.
  if (ids === undefined) await waitForNow(database, actor, WAIT_MS, undefined)
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ settled: number }>('select akashi_audit.settle_discrepancies($1, $2) as settled', [
      explanation,
      ids ?? null,
    ]),
  )
  return rows[0]?.settled ?? 0
}

export async function crosscheckStatus(database: Database, actor: Actor): Promise<CrosscheckStatus> {
  return await database.transaction(actor, readStatus, { readOnly: true })
}

async function readStatus(session: Session): Promise<CrosscheckStatus> {
  const { rows } = await session.query<Omit<CrosscheckStatus, 'state'> & { readonly active: boolean | null }>(
    `select p.active, s.compared_lsn::text as "comparedLsn", s.compared_at as "comparedAt",
            case when p.received is not null then greatest(pg_wal_lsn_diff(p.now, p.received), 0)::float8 end as "lagBytes",
            coalesce(s.transactions, 0)::float8 as transactions, coalesce(s.changes, 0)::float8 as changes,
            (select count(*) from akashi_audit.crosscheck_discrepancies where settled_at is null)::integer as discrepancies,
            (select count(*) from akashi_audit.crosscheck_gaps where settled_at is null)::integer as gaps
     from akashi_audit.crosscheck_position() p left join akashi_audit.crosscheck_state s on true`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('the position of the cross-check is one row')
  const { active, ...status } = row
  return { state: active === null ? 'off' : active ? 'running' : 'stopped', ...status }
}

export interface CrosscheckFindings {
  readonly problems: readonly { readonly id: string; readonly detail: string }[]
  readonly notes: readonly string[]
}

/** Milliseconds that a verification waits for earlier commits to be compared. */
const WAIT_MS = 10_000
const POLL_MS = 100

/**
 * The findings of the cross-check for a verification: unsettled discrepancies, tables whose changes currently
 * bypass it, and notes about ranges that were not compared. It waits until everything committed before has
 * been compared.
 */
export async function crosscheckFindings(
  database: Database,
  actor: Actor,
  { waitMs = WAIT_MS, signal }: { readonly waitMs?: number; readonly signal?: AbortSignal } = {},
): Promise<CrosscheckFindings> {
  const behind = await waitForNow(database, actor, waitMs, signal)
  const discrepancies = await listDiscrepancies(database, actor, { limit: 1_000 })
  const named = new Set(discrepancies.map(({ detail }) => detail))
  const { open, suspects } = await database.transaction(actor, passedTables, { readOnly: true })
  const gaps = await listGaps(database, actor)
  return {
    problems: [
      ...discrepancies.map(({ id, detail, login }) => ({ id, detail: `${detail} (login ${login})` })),
      ...[...suspects, ...open]
        .map(({ schema, table, what }) => ({
          id: `${schema}.${table}`,
          detail: `${schema}.${table}: ${what}`,
        }))
        .filter(({ detail }) => !named.has(detail)),
    ],
    notes: [
      ...(behind === undefined ? [] : [`cross-check: ${behind}`]),
      ...gaps.map(
        ({ startLsn, endLsn, startedAt, detail }) =>
          `cross-check: not compared from ${startLsn ?? startedAt} to ${endLsn ?? 'now'}: ${detail}`,
      ),
    ],
  }
}

/** @returns what was not compared, if anything */
async function waitForNow(
  database: Database,
  actor: Actor,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let target: Lsn | undefined
  const until = performance.now() + waitMs
  for (;;) {
    signal?.throwIfAborted()
    const { rows } = await database.transaction(
      actor,
      (session) =>
        session.query<{ active: boolean | null; received: string | null }>(
          'select active, received::text from akashi_audit.crosscheck_position()',
        ),
      { readOnly: true },
    )
    const [row] = rows
    if (row === undefined || row.active === null) return undefined
    if (!row.active)
      return 'it is not running, so changes since then are not compared: start akashi up or work'
    target ??= await committedUpTo(database, actor)
    if (row.received !== null && parseLsn(row.received) >= target) return undefined
    if (performance.now() > until)
      return `it has compared up to ${row.received}, but not yet up to ${formatLsn(target)}`
    await sleep(POLL_MS)
  }
}
