/** The replication slot that keeps WAL on the server until it is stored. */
import { AkashiError, given } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'

/** The replication slot that retains WAL until it is stored. */
export const SLOT = 'akashi_backup'

export interface Slot {
  /** Something streams from it. */
  readonly active: boolean
  /** As pg_replication_slots has it; lost: WAL is missing, or the server gave the slot up for another reason. */
  readonly walStatus: 'reserved' | 'extended' | 'unreserved' | 'lost'
  /** Bytes of WAL that the server keeps for it. */
  readonly keptBytes: number
  /** max_slot_wal_keep_size in bytes; null: the server keeps WAL until its disk is full. */
  readonly serverLimitBytes: number | null
}

const slotSql = `
  select s.active, coalesce(s.wal_status, 'lost') as "walStatus",
         coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
                                  s.restart_lsn), 0)::float8 as "keptBytes",
         (select nullif(setting::float8, -1) * 1048576 from pg_settings where name = 'max_slot_wal_keep_size') as "serverLimitBytes"
  from pg_replication_slots s where s.slot_name = $1 and s.slot_type = 'physical'`

/** null if there is none. Any login may ask. */
export async function readSlot(
  database: Pick<Database, 'direct'>,
  { name = SLOT, signal }: { readonly name?: string; readonly signal?: AbortSignal } = {},
): Promise<Slot | null> {
  return await database.direct(async (session) => {
    const { rows } = await session.query<Slot>(slotSql, [name])
    return rows[0] ?? null
  }, given({ signal }))
}

/**
 * Gives the WAL up that is kept for the stream: the next one begins with a gap and a full backup.
 *
 * @param options.force ends what streams from it
 * @returns false if there was no slot
 * @throws conflict if something streams from it
 */
export async function dropSlot(
  database: Pick<Database, 'direct'>,
  { name = SLOT, force = false }: { readonly name?: string; readonly force?: boolean } = {},
): Promise<boolean> {
  return await database.direct(async (session) => {
    if (force) {
      await session.query(
        'select pg_terminate_backend(active_pid, $2) from pg_replication_slots where slot_name = $1 and active',
        [name, END_STREAM_MS],
      )
    }
    const { rows } = await session.query<{ active: boolean }>(
      'select active from pg_replication_slots where slot_name = $1',
      [name],
    )
    const [slot] = rows
    if (slot === undefined) return false
    if (slot.active) {
      throw new AkashiError('conflict', 'WAL is being streamed from the replication slot', {
        hint: 'stop akashi up, work and backup stream first',
      })
    }
    await session.query('select pg_drop_replication_slot($1)', [name])
    return true
  })
}

/** Milliseconds that the server waits for a stream to end. */
const END_STREAM_MS = 5_000
