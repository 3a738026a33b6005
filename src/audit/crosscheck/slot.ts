/** The replication slot that the cross-check reads from, and the requirements for it. */
import { AkashiError } from '../../foundation/index.ts'
import {
  type Database,
  dropReplicationSlot,
  type Lsn,
  parseLsn,
  readCapabilities,
} from '../../postgres/index.ts'

export const PUBLICATION = 'akashi_crosscheck'

export interface CrosscheckSlot {
  readonly name: string
  /** Up to where everything was compared. */
  readonly confirmed: Lsn
  /**
   * WAL that it needs was removed, the server invalidated it for another reason, or it is not Akashi's slot.
   */
  readonly lost: boolean
  readonly active: boolean
}

/** Slots belong to the cluster, where several databases may be checked. */
const nameSql = "(select 'akashi_crosscheck_' || oid from pg_database where datname = current_database())"

export async function readCrosscheckSlot(database: Pick<Database, 'direct'>): Promise<CrosscheckSlot | null> {
  const { rows } = await database.direct((session) =>
    session.query<{ name: string; confirmed: string | null; lost: boolean; active: boolean }>(
      `select slot_name as name, confirmed_flush_lsn::text as confirmed, active,
              coalesce(wal_status = 'lost' or restart_lsn is null or plugin <> 'pgoutput', true) as lost
       from pg_replication_slots where slot_name = ${nameSql}`,
    ),
  )
  const [row] = rows
  return row === undefined ? null : { ...row, confirmed: parseLsn(row.confirmed ?? '0/0') }
}

/** Created without two-phase decoding: a prepared transaction arrives when it is committed. */
export async function createCrosscheckSlot(database: Pick<Database, 'direct'>): Promise<CrosscheckSlot> {
  await database.direct((session) =>
    session.query(`select pg_create_logical_replication_slot(${nameSql}, 'pgoutput')`),
  )
  const slot = await readCrosscheckSlot(database)
  if (slot === null)
    throw new AkashiError('conflict', 'the replication slot of the cross-check was dropped again')
  return slot
}

/**
 * Does nothing if there is none. `force` ends the session that reads from it; otherwise that is a `conflict`.
 */
export async function dropCrosscheckSlot(
  database: Pick<Database, 'direct'>,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const slot = await readCrosscheckSlot(database)
  if (slot !== null) await dropReplicationSlot(database, slot.name, options)
}

/** Why the server, or the login of this URL, has no logical WAL for the cross-check; undefined if it does. */
export async function crosscheckObstacle(url: string): Promise<string | undefined> {
  const { replication, login, walLevel, provider } = await readCapabilities(url)
  if (walLevel !== 'logical') {
    return provider === 'rds' || provider === 'aurora'
      ? 'wal_level is not logical: set rds.logical_replication to 1 in the parameter group and restart the server'
      : `wal_level is ${walLevel}: run alter system set wal_level = logical and restart the server`
  }
  if (!replication && provider === null) {
    return `the login ${login} lacks the replication privilege: run alter role ${login} replication`
  }
  return undefined
}
