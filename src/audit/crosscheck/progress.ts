/** How far the write-ahead log is compared, and the ranges that nobody compared. */

import type { Keyring } from '../../keys/index.ts'
import {
  type Actor,
  type Database,
  formatLsn,
  type Lsn,
  parseLsn,
  type Session,
} from '../../postgres/index.ts'
import { type Protection, readProtections } from './protections.ts'
import { isSigned, type SignedState, signState } from './signed-state.ts'
import { readTraces } from './traces.ts'

export interface Progress extends SignedState {
  /** Whether it is as a process with the key in use left it. */
  readonly signed: boolean
}

export type GapCause =
  | 'off'
  | 'no_logical_wal'
  | 'slot_lost'
  | 'wal_given_up'
  | 'moved'
  | 'too_large'
  | 'publication_altered'
  | 'state_altered'

interface Row {
  readonly slot: string
  readonly systemIdentifier: string
  readonly timeline: number
  readonly compared: string
  readonly sealed: string
  readonly latestCommit: string
  readonly protections: readonly Protection[]
  readonly traces: Readonly<Record<string, string>>
  readonly note: string
}

export async function readProgress(session: Session, keyring: Keyring): Promise<Progress | null> {
  return await readSigned(session, keyring, 1)
}

/**
 * Signs the state again after the key was replaced, if it is as the key before left it. It runs as part of the rotation,
 * before which that key was the one to trust.
 *
 * @returns whether the state is signed by the new key now; a state that is not is a gap when the cross-check starts again
 */
export async function signProgressAgain(
  database: Database,
  actor: Actor,
  keyring: Keyring,
): Promise<boolean> {
  return await database.transaction(actor, async (session) => {
    await session.query('select from akashi_audit.crosscheck_state for update')
    const state = await readSigned(session, keyring, 2)
    if (state?.signed !== true) return state === null
    await session.query('update akashi_audit.crosscheck_state set note = $1', [
      await signState(keyring, state),
    ])
    return true
  })
}

/** @param keys how many of the newest keys count */
async function readSigned(session: Session, keyring: Keyring, keys: number): Promise<Progress | null> {
  const { rows } = await session.query<Row>(
    `select slot_name as slot, system_identifier::text as "systemIdentifier", timeline, compared_lsn::text as compared,
            sealed_lsn::text as sealed, latest_commit::text as "latestCommit", protections, traces, note
     from akashi_audit.crosscheck_state`,
  )
  const [row] = rows
  if (row === undefined) return null
  const { note, ...values } = row
  const state: SignedState = {
    ...values,
    compared: parseLsn(row.compared),
    sealed: parseLsn(row.sealed),
    latestCommit: BigInt(row.latestCommit),
    traces: new Map(Object.entries(row.traces)),
  }
  return { ...state, signed: await isSigned(keyring, state, note, keys) }
}

/** The position up to which everything was compared, as the database has it. */
export async function readCompared(session: Session): Promise<Lsn | null> {
  const { rows } = await session.query<{ compared: string }>(
    'select compared_lsn::text as compared from akashi_audit.crosscheck_state',
  )
  return rows[0] === undefined ? null : parseLsn(rows[0].compared)
}

/** Begins at the position of a new slot, with the tables that are protected now and what the catalog says of them. */
export async function beginProgress(
  session: Session,
  keyring: Keyring,
  slot: string,
  at: Lsn,
): Promise<Progress> {
  const { rows } = await session.query<{ system: string; timeline: number }>(
    'select system_identifier::text as system, coalesce(timeline, 0) as timeline from akashi_audit.system_identity()',
  )
  const state: SignedState = {
    slot,
    systemIdentifier: rows[0]?.system ?? '',
    timeline: rows[0]?.timeline ?? 0,
    compared: at,
    sealed: at,
    latestCommit: 0n,
    protections: await readProtections(session),
    traces: await readTraces(session),
  }
  await session.query(
    `insert into akashi_audit.crosscheck_state as s
       (slot_name, system_identifier, timeline, compared_lsn, sealed_lsn, latest_commit, protections, traces, note)
     values ($1, $2, $3, $4::pg_lsn, $4::pg_lsn, 0, $5, $6, $7)
     on conflict (one_row) do update set
       (slot_name, system_identifier, timeline, compared_lsn, compared_at, sealed_lsn, latest_commit, protections, traces, note) =
       (excluded.slot_name, excluded.system_identifier, excluded.timeline, excluded.compared_lsn, clock_timestamp(), excluded.sealed_lsn,
        excluded.latest_commit, excluded.protections, excluded.traces, excluded.note)`,
    [
      slot,
      state.systemIdentifier,
      state.timeline,
      formatLsn(at),
      JSON.stringify(state.protections),
      tracesText(state),
      await signState(keyring, state),
    ],
  )
  return { ...state, signed: true }
}

/**
 * Written before the position is reported to the server, so a slot that is further ahead was not advanced by
 * Akashi.
 */
export async function keepProgress(
  session: Session,
  keyring: Keyring,
  state: SignedState,
  /** Since the last time. */
  { transactions, changes }: { readonly transactions: number; readonly changes: number },
): Promise<void> {
  await session.query(
    `update akashi_audit.crosscheck_state set compared_lsn = $1::pg_lsn, compared_at = clock_timestamp(), sealed_lsn = $2::pg_lsn,
            latest_commit = $3, protections = $4, traces = $5, note = $6, transactions = transactions + $7, changes = changes + $8`,
    [
      formatLsn(state.compared),
      formatLsn(state.sealed),
      state.latestCommit.toString(),
      JSON.stringify(state.protections),
      tracesText(state),
      await signState(keyring, state),
      transactions,
      changes,
    ],
  )
}

function tracesText({ traces }: SignedState): string {
  return JSON.stringify(Object.fromEntries(traces))
}

/** Says in the trail, which is sealed, up to where the log was compared. */
export async function recordCompared(
  session: Session,
  compared: { readonly from: Lsn; readonly to: Lsn; readonly transactions: number; readonly changes: number },
): Promise<void> {
  const { from, to, transactions, changes } = compared
  await session.query(
    `select akashi_audit.record_action('crosscheck_compared', 'compare', 'wal', detail => $1)`,
    [JSON.stringify({ from: formatLsn(from), to: formatLsn(to), transactions, changes })],
  )
}

/**
 * Records a range that is not compared; without `to` it lasts until {@link endGap} or a gap with another
 * cause.
 */
export async function beginGap(
  session: Session,
  gap: { readonly cause: GapCause; readonly detail: string; readonly from: Lsn | null; readonly to?: Lsn },
): Promise<void> {
  await session.query('select akashi_audit.begin_gap($1, $2, $3::pg_lsn, $4::pg_lsn)', [
    gap.cause,
    gap.detail,
    gap.from === null ? null : formatLsn(gap.from),
    gap.to === undefined ? null : formatLsn(gap.to),
  ])
}

/** Ends the current gap. @returns whether there was one */
export async function endGap(session: Session, at: Lsn): Promise<boolean> {
  const { rows } = await session.query<{ ended: boolean }>(
    'select akashi_audit.end_gap($1::pg_lsn) is not null as ended',
    [formatLsn(at)],
  )
  return rows[0]?.ended === true
}

/**
 * A position after everything that is committed. A message is written there and flushed, because the server
 * sends only flushed WAL and may delay flushing WAL that no commit follows.
 */
export async function committedUpTo(worker: Database, actor: Actor): Promise<Lsn> {
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<{ position: string }>(
      `select pg_logical_emit_message(true, 'akashi', '')::text as position, set_config('synchronous_commit', 'on', true)`,
    ),
  )
  return parseLsn(rows[0]?.position ?? '0/0')
}
