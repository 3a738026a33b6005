/** What the ledger keeps in PostgreSQL: heads, tiles, entries. */
import type { Actor, Database, Session } from '../../postgres/index.ts'
import type { TileKey, TileReader } from './tiles.ts'

export interface Head {
  readonly log: string
  readonly epoch: number
  readonly origin: string
  /** Entries in the tree. */
  readonly size: bigint
  readonly root: Buffer
  /** The signed checkpoint of this size; null before the first entry. */
  readonly note: string | null
  /** The frontier: all rows at or before (lastXid, lastSeq) are in the tree. */
  readonly lastXid: string
  readonly lastSeq: string
  /** Rows up to this seq were written before the epoch; decimal. */
  readonly seqFloor: string
  /** The cluster that the epoch was opened in, and its timeline; null in a log that was made before they were kept. */
  readonly systemIdentifier: string | null
  readonly timeline: number | null
  /** ISO 8601 in UTC. */
  readonly sealedAt: string | null
}

const headColumns = `log, epoch, origin, size::text, root, note, last_xid::text as "lastXid",
  last_seq::text as "lastSeq", seq_floor::text as "seqFloor", system_identifier::text as "systemIdentifier", timeline,
  sealed_at as "sealedAt"`

type HeadRow = Omit<Head, 'size'> & { readonly size: string }

function toHead(row: HeadRow): Head {
  return { ...row, size: BigInt(row.size) }
}

export async function readHead(session: Session, log: string): Promise<Head | undefined> {
  const { rows } = await session.query<HeadRow>(
    `select ${headColumns} from akashi_audit.ledger_heads where log = $1`,
    [log],
  )
  return rows.map(toHead)[0]
}

export async function readHeads(session: Session): Promise<Head[]> {
  const { rows } = await session.query<HeadRow>(
    `select ${headColumns} from akashi_audit.ledger_heads order by log`,
  )
  return rows.map(toHead)
}

/** Every name that a log has or had, in this epoch and before, with its size now. */
export async function readOrigins(session: Session): Promise<Pick<Head, 'log' | 'origin' | 'size'>[]> {
  const { rows } = await session.query<{ log: string; origin: string; size: string }>(
    `select log, origin, size::text from akashi_audit.ledger_heads
     union all select h.log, e.previous_origin, h.size::text
     from akashi_audit.ledger_epochs e join akashi_audit.ledger_heads h using (log)`,
  )
  return rows.map((row) => ({ ...row, size: BigInt(row.size) }))
}

/**
 * A crash must not undo what is signed, published or retired, so role and server settings cannot relax this.
 */
export async function commitDurably(session: Session): Promise<void> {
  await session.query(
    `select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'`,
  )
}

/** The head of a log, locked until the transaction ends; created if there is none. */
export async function lockHead(session: Session, log: string, emptyRoot: Buffer): Promise<Head> {
  await session.query(
    `insert into akashi_audit.ledger_heads (log, origin, root, system_identifier, timeline)
     select $1, (akashi_lifecycle.setting('ledger.origin') #>> '{}') || '/' || $1, $2, own.system_identifier, own.timeline
     from akashi_audit.system_identity() own
     on conflict (log) do nothing`,
    [log, emptyRoot],
  )
  const { rows } = await session.query<HeadRow>(
    `select ${headColumns} from akashi_audit.ledger_heads where log = $1 for update`,
    [log],
  )
  const [head] = rows.map(toHead)
  if (head === undefined) throw new Error(`log ${log} has no head`)
  return head
}

/** Tiles as stored. */
export function tileReader(session: Session, log: string): TileReader {
  return async ({ level, tile }) => {
    const { rows } = await session.query<{ hashes: Buffer }>(
      'select hashes from akashi_audit.ledger_tiles where log = $1 and level = $2 and tile = $3',
      [log, level, tile.toString()],
    )
    return rows[0]?.hashes
  }
}

export async function writeTiles(
  session: Session,
  log: string,
  tiles: readonly { readonly key: TileKey; readonly hashes: Buffer }[],
): Promise<void> {
  await session.query(
    `insert into akashi_audit.ledger_tiles (log, level, tile, hashes)
     select $1, level, tile, hashes from unnest($2::smallint[], $3::bigint[], $4::bytea[]) as t (level, tile, hashes)
     on conflict (log, level, tile) do update set hashes = excluded.hashes`,
    [
      log,
      tiles.map((tile) => tile.key.level),
      tiles.map((tile) => tile.key.tile.toString()),
      tiles.map((tile) => tile.hashes),
    ],
  )
}

/** The heads of every log that has one. */
export async function readLogHeads(database: Database, actor: Actor): Promise<Head[]> {
  return await database.transaction(actor, (session) => readHeads(session), { readOnly: true })
}
