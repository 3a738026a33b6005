/** How far the write-ahead log is compared, and the ranges that nobody compared. */
import {
  type Actor,
  type Database,
  formatLsn,
  type Lsn,
  parseLsn,
  type Session,
} from '../../postgres/index.ts'
import { type Protection, readProtections } from './protections.ts'

export interface Progress {
  readonly slot: string
  readonly systemIdentifier: string
  readonly timeline: number
  /** Everything before it is compared. */
  readonly compared: Lsn
  readonly sealed: Lsn
  readonly protections: readonly Protection[]
  /** Since the slot was made. */
  readonly transactions: number
  readonly changes: number
}

export type GapCause =
  | 'off'
  | 'no_logical_wal'
  | 'slot_lost'
  | 'wal_given_up'
  | 'moved'
  | 'too_large'
  | 'publication_altered'

interface Row {
  readonly slot: string
  readonly systemIdentifier: string
  readonly timeline: number
  readonly compared: string
  readonly sealed: string
  readonly protections: readonly Protection[]
  readonly transactions: bigint
  readonly changes: bigint
}

export async function readProgress(session: Session): Promise<Progress | null> {
  const { rows } = await session.query<Row>(
    `select slot_name as slot, system_identifier::text as "systemIdentifier", timeline, compared_lsn::text as compared,
            sealed_lsn::text as sealed, protections, transactions, changes
     from akashi_audit.crosscheck_state`,
  )
  const [row] = rows
  if (row === undefined) return null
  return {
    ...row,
    compared: parseLsn(row.compared),
    sealed: parseLsn(row.sealed),
    transactions: Number(row.transactions),
    changes: Number(row.changes),
  }
}

/** Begins at the position of a new slot, with the tables that are protected now. */
export async function beginProgress(session: Session, slot: string, at: Lsn): Promise<void> {
  await session.query(
    `insert into akashi_audit.crosscheck_state as s (slot_name, system_identifier, timeline, compared_lsn, sealed_lsn, protections)
     select $1, i.system_identifier, coalesce(i.timeline, 0), $2::pg_lsn, $2::pg_lsn, $3 from akashi_audit.system_identity() i
     on conflict (one_row) do update set (slot_name, system_identifier, timeline, compared_lsn, compared_at, sealed_lsn, protections) =
       (excluded.slot_name, excluded.system_identifier, excluded.timeline, excluded.compared_lsn, clock_timestamp(), excluded.sealed_lsn,
        excluded.protections)`,
    [slot, formatLsn(at), JSON.stringify(await readProtections(session))],
  )
}

export interface Step {
  readonly to: Lsn
  readonly protections: readonly Protection[]
  /** Since the last step. */
  readonly transactions: number
  readonly changes: number
}

/** Written before the position is reported to the server, so that a slot which is further was not left there by us. */
export async function keepProgress(
  session: Session,
  { to, protections, transactions, changes }: Step,
): Promise<void> {
  await session.query(
    `update akashi_audit.crosscheck_state set compared_lsn = $1::pg_lsn, compared_at = clock_timestamp(), protections = $2,
            transactions = transactions + $3, changes = changes + $4`,
    [formatLsn(to), JSON.stringify(protections), transactions, changes],
  )
}

/** Says in the trail, which is sealed, up to where the log was compared. */
export async function sealProgress(
  session: Session,
  compared: { readonly from: Lsn; readonly to: Lsn; readonly transactions: number; readonly changes: number },
): Promise<void> {
  const { from, to, transactions, changes } = compared
  await session.query(
    `select akashi_audit.record_action('crosscheck_compared', 'compare', 'wal', detail => $1)`,
    [JSON.stringify({ from: formatLsn(from), to: formatLsn(to), transactions, changes })],
  )
  await session.query('update akashi_audit.crosscheck_state set sealed_lsn = $1::pg_lsn', [formatLsn(to)])
}

/** Records a range that nobody compares; without `to` it lasts, until {@link endGap} or one of another cause. */
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

/** Ends the gap that lasts. @returns whether there was one */
export async function endGap(session: Session, at: Lsn): Promise<boolean> {
  const { rows } = await session.query<{ ended: boolean }>(
    'select akashi_audit.end_gap($1::pg_lsn) is not null as ended',
    [formatLsn(at)],
  )
  return rows[0]?.ended === true
}

/**
 * A position behind everything that is committed. A message is written there and flushed: the server sends nothing that it
 * has not flushed, and what no commit follows it flushes when it likes.
 */
export async function committedUpTo(worker: Database, actor: Actor): Promise<Lsn> {
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<{ position: string }>(
      `select pg_logical_emit_message(true, 'akashi', '')::text as position, set_config('synchronous_commit', 'on', true)`,
    ),
  )
  return parseLsn(rows[0]?.position ?? '0/0')
}
