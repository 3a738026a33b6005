/** Replication slots, which keep WAL on the server until it has been read, and limits for that WAL. */
import { AkashiError, given } from '../../foundation/index.ts'
import { SQLSTATE, sqlState } from '../sqlstate.ts'
import type { Database, Session } from '../types.ts'

export interface Slot {
  readonly kind: 'physical' | 'logical'
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
  select s.slot_type as kind, s.active, coalesce(s.wal_status, 'lost') as "walStatus",
         coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
                                  s.restart_lsn), 0)::float8 as "keptBytes",
         (select nullif(setting::float8, -1) * 1048576 from pg_settings where name = 'max_slot_wal_keep_size') as "serverLimitBytes"
  from pg_replication_slots s where s.slot_name = $1`

/** null if there is none. Any login may ask. */
export async function readReplicationSlot(
  database: Pick<Database, 'direct'>,
  name: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Slot | null> {
  return await database.direct(async (session) => {
    const { rows } = await session.query<Slot>(slotSql, [name])
    return rows[0] ?? null
  }, given({ signal }))
}

/** Milliseconds that the server waits for a stream to end. */
const END_STREAM_MS = 5_000
/** Streams that are ended before giving up: a reader that lost its stream opens the next one at once. */
const END_STREAM_TRIES = 5

/**
 * Releases the WAL that is kept for a slot's reader.
 *
 * @param options.force ends what streams from it
 * @returns false if there was no slot
 * @throws conflict if something streams from it
 */
export async function dropReplicationSlot(
  database: Pick<Database, 'direct'>,
  name: string,
  { force = false }: { readonly force?: boolean } = {},
): Promise<boolean> {
  return await database.direct(async (session) => {
    for (let tries = force ? END_STREAM_TRIES : 0; ; tries -= 1) {
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
      if (!slot.active && (await dropped(session, name))) return true
      if (tries <= 0) {
        throw new AkashiError('conflict', 'WAL is being streamed from the replication slot', {
          hint: 'stop akashi up, work and backup stream first',
        })
      }
    }
  })
}

/** False if a reader has taken the slot since it was checked. */
async function dropped(session: Session, name: string): Promise<boolean> {
  try {
    await session.query('select pg_drop_replication_slot($1)', [name])
    return true
  } catch (error) {
    if (sqlState(error) === SQLSTATE.objectInUse) return false
    throw error
  }
}

/** Minimum free bytes on the disk of an embedded server: below this, kept WAL is released. */
const MIN_FREE_BYTES = 1024 * 1024 * 1024
/** Below this many kept bytes, releasing them would free too little to be worth a gap. */
const WORTH_BYTES = 256 * 1024 * 1024

/** The reason why the WAL kept for a reader has to be released now; undefined while it may stay. */
export function reasonToGiveUp(
  { keptBytes }: Pick<Slot, 'keptBytes'>,
  limits: {
    readonly limitBytes: number
    /** Free bytes on the disk of the server; null if unknown. */
    readonly freeBytes: number | null
  },
  reader = 'the object store',
): string | undefined {
  const { limitBytes, freeBytes } = limits
  if (keptBytes > limitBytes) {
    return `${keptBytes} bytes of WAL are waiting for ${reader}, more than backup.wal_limit_mb`
  }
  if (freeBytes !== null && freeBytes < MIN_FREE_BYTES && keptBytes > WORTH_BYTES) {
    return `${freeBytes} bytes are free on the disk of the database, and ${keptBytes} bytes of WAL wait for ${reader}`
  }
  return undefined
}
