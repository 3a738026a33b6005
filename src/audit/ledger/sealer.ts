/**
 * The sealer takes rows into the ledger: those below the snapshot's xmin, in (xid, seq) order. Every
 * transaction below xmin has ended, so that set never gains a row again: nothing is missed and nothing
 * is doubled, whatever order transactions commit in. A transaction that stays open holds the frontier;
 * it never loses a row.
 */
import type { Keyring } from '../../keys/index.ts'
import { signNote } from '../../keys/index.ts'
import { anonymous, type Database, type Session } from '../../postgres/index.ts'
import { checkpointText } from './checkpoint.ts'
import { postgresEntrySql } from './encoding.ts'
import type { LogDefinition } from './logs.ts'
import { emptyRoot, HASH_BYTES, leafHash } from './merkle.ts'
import { type Head, lockHead, tileReader, writeTiles } from './store.ts'
import { TiledTree } from './tiles.ts'

/** Rows that one transaction of the sealer takes; bounds its memory and how long it holds the head. */
export const SEAL_BATCH_ROWS = 10_000

export interface Sealed {
  readonly log: string
  /** Rows taken by this call. */
  readonly rows: number
  readonly size: bigint
}

/** Takes every row below the frontier into one log. Commits a batch at a time; safe to stop anywhere. */
export async function seal(
  database: Database,
  keyring: Keyring,
  log: LogDefinition,
  signal?: AbortSignal,
): Promise<Sealed> {
  let rows = 0
  for (;;) {
    const batch = await database.transaction(anonymous, (session) => sealBatch(session, keyring, log), {
      ...(signal === undefined ? {} : { signal }),
    })
    rows += batch.rows
    if (batch.rows < SEAL_BATCH_ROWS) return { log: log.log, rows, size: batch.size }
  }
}

interface Batch {
  readonly count: number
  /** Entry hashes side by side, in order. */
  readonly hashes: Buffer
  readonly lastXid: string
  readonly lastSeq: string
}

async function sealBatch(
  session: Session,
  keyring: Keyring,
  log: LogDefinition,
): Promise<{ rows: number; size: bigint }> {
  // A checkpoint that a crash could take back would be a fork.
  await session.query('set local synchronous_commit = on')
  await session.query('set local enable_seqscan = off')
  await session.query('select audit.assert_unfiltered($1::regclass)', [`${log.schema}.${log.table}`])
  const head = await lockHead(session, log.log, emptyRoot)
  const batch = await takeEntries(session, log, head)
  if (batch === undefined) return { rows: 0, size: head.size }
  const tree = new TiledTree(head.size, tileReader(session, log.log))
  await tree.append(splitHashes(batch.hashes).map(leafHash))
  await writeTiles(session, log.log, tree.changed())
  const root = await tree.root()
  const key = await keyring.ensure('checkpoint')
  const note = await signNote(
    keyring,
    key.id,
    head.origin,
    checkpointText({ origin: head.origin, size: tree.size, root }),
  )
  await session.query(
    `update audit.ledger_heads
     set size = $2, root = $3, note = $4, last_xid = $5, last_seq = $6, sealed_at = clock_timestamp()
     where log = $1`,
    [log.log, tree.size.toString(), root, note, batch.lastXid, batch.lastSeq],
  )
  return { rows: batch.count, size: tree.size }
}

async function takeEntries(session: Session, log: LogDefinition, head: Head): Promise<Batch | undefined> {
  const { rows } = await session.query<Batch>(takeEntriesSql(log), [
    log.log,
    head.lastXid,
    head.lastSeq,
    head.size.toString(),
    SEAL_BATCH_ROWS,
  ])
  const batch = rows[0]
  return batch === undefined || batch.count === 0 ? undefined : batch
}

/** Snapshot and rows come from one statement, so xmin and what is visible are of one moment. */
function takeEntriesSql(log: LogDefinition): string {
  const entry = postgresEntrySql(log)
  return `
    with batch as (
      select r.* from ${log.schema}.${log.table} r
      where (r.xid, r.seq) > ($2::xid8, $3::bigint)
        and r.xid < (select pg_snapshot_xmin(pg_current_snapshot()))
      order by r.xid, r.seq
      limit $5
    ), hashed as materialized (
      select id, created_at, xid, seq, ${entry.hash} as entry_hash,
             row_number() over (order by xid, seq) as place
      from (select r.id, r.created_at, r.xid, r.seq, ${entry.texts} from batch r offset 0) t
    ), stored as (
      insert into audit.ledger_entries (log, position, row_id, created_at, entry_hash)
      select $1, $4::bigint + place - 1, id, created_at, entry_hash from hashed order by place
    )
    select count(*)::integer as count,
           string_agg(entry_hash, ''::bytea order by place) as hashes,
           (array_agg(xid::text order by place desc))[1] as "lastXid",
           (array_agg(seq::text order by place desc))[1] as "lastSeq"
    from hashed`
}

function splitHashes(hashes: Buffer): Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at < hashes.length; at += HASH_BYTES) entries.push(hashes.subarray(at, at + HASH_BYTES))
  return entries
}
