/**
 * The sealer takes rows into the ledger: those below the snapshot's xmin, in (xid, seq) order. Every
 * transaction below xmin has ended, so that set never gains a row again: nothing is missed and nothing
 * is doubled, whatever order transactions commit in. A transaction that stays open holds the frontier;
 * it never loses a row.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import { signNote } from '../../keys/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { checkpointText } from './checkpoint.ts'
import { postgresEntrySql } from './encoding.ts'
import type { LogDefinition } from './logs.ts'
import { emptyRoot, leafHash, splitHashes } from './merkle.ts'
import { type Head, lockHead, readHead, tileReader, writeTiles } from './store.ts'
import { TiledTree } from './tiles.ts'
import { isRekeyed } from './verifier-keys.ts'

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
  actor: Actor,
  keyring: Keyring,
  log: LogDefinition,
  signal?: AbortSignal,
): Promise<Sealed> {
  let rows = 0
  for (;;) {
    const batch = await database.transaction(actor, (session) => sealBatch(session, keyring, log), {
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
  await session.query('select akashi_audit.assert_unfiltered($1::regclass)', [`${log.schema}.${log.table}`])
  // A checkpoint that a crash could take back would be a fork. Waiting rows are found by their index, whatever
  // the statistics of a table that only grows say.
  await session.query(
    "select set_config('synchronous_commit', 'on', true), set_config('enable_seqscan', 'off', true)",
  )
  // Locking the head writes, and the sealer looks several times a second: an idle database stays idle.
  const seen = await readHead(session, log.log)
  if (seen !== undefined && !(await hasRowsBelowFrontier(session, log, seen)))
    return { rows: 0, size: seen.size }
  const head = await lockHead(session, log.log, emptyRoot)
  if (await isRekeyed(keyring, head)) throw replacedKey(log)
  return await sealRows(session, keyring, log, head, 'ended')
}

/**
 * Which rows wait. ended: those past the frontier whose transactions had all ended. all: whatever is past it, which
 * is right only while nobody can write. moved: what another cluster wrote after the floor without an entry; its
 * transactions count anew, and so lie before the frontier.
 */
type Waiting = 'ended' | 'all' | 'moved'

/** Takes one batch into the tree of a locked head. */
export async function sealRows(
  session: Session,
  keyring: Keyring,
  log: LogDefinition,
  head: Head,
  which: Waiting,
): Promise<{ rows: number; size: bigint }> {
  const batch = await takeEntries(session, log, head, which)
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
    `update akashi_audit.ledger_heads
     set size = $2, root = $3, note = $4, last_xid = $5, last_seq = $6, sealed_at = clock_timestamp(),
         system_identifier = case when ledger_heads.size > 0 then coalesce(ledger_heads.system_identifier, own.system_identifier)
                                  else own.system_identifier end,
         timeline = coalesce(ledger_heads.timeline, own.timeline)
     from akashi_audit.system_identity() own
     where log = $1`,
    [
      log.log,
      tree.size.toString(),
      root,
      note,
      which === 'moved' ? head.lastXid : batch.lastXid,
      which === 'moved' ? head.lastSeq : batch.lastSeq,
    ],
  )
  return { rows: batch.count, size: tree.size }
}

/** An epoch has one key. */
function replacedKey({ log }: LogDefinition): AkashiError {
  return new AkashiError('conflict', `the signing key of log ${log} was replaced: it needs a new epoch`, {
    hint: 'the worker opens one when it publishes, within a minute; or run akashi keys rotate --purpose checkpoint',
  })
}

/** Fails in a cluster that is not the head's: its numbers of transactions mean nothing there. */
async function hasRowsBelowFrontier(session: Session, log: LogDefinition, head: Head): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean; cluster: string }>(
    `select exists (${waitingRowsSql(log, '$1', '$2', '$3', 'ended')}) as found, own.system_identifier::text as cluster
     from akashi_audit.system_identity() own`,
    [head.lastXid, head.lastSeq, head.seqFloor],
  )
  const [row] = rows
  if (head.size > 0n && head.systemIdentifier !== null && row?.cluster !== head.systemIdentifier) {
    throw new AkashiError(
      'conflict',
      `log ${log.log} was sealed in another cluster: it needs a new epoch here`,
      {
        hint: 'the worker opens one when it publishes, within a minute; or run akashi audit epoch',
      },
    )
  }
  return row?.found === true
}

/** Rows behind (xid, seq) that were written in this epoch. */
function waitingRowsSql(log: LogDefinition, xid: string, seq: string, floor: string, which: Waiting): string {
  if (which === 'moved') {
    return `
      select r.* from ${log.schema}.${log.table} r
      where (r.xid, r.seq) <= (${xid}::xid8, ${seq}::bigint) and r.seq > ${floor}::bigint
        and not exists (select from akashi_audit.ledger_entries e where e.log = '${log.log}' and e.row_id = r.id)`
  }
  return `
      select r.* from ${log.schema}.${log.table} r
      where (r.xid, r.seq) > (${xid}::xid8, ${seq}::bigint) and r.seq > ${floor}::bigint
        ${which === 'all' ? '' : 'and r.xid < (select pg_snapshot_xmin(pg_current_snapshot()))'}`
}

async function takeEntries(
  session: Session,
  log: LogDefinition,
  head: Head,
  which: Waiting,
): Promise<Batch | undefined> {
  const { rows } = await session.query<Batch>(takeEntriesSql(log, which), [
    log.log,
    head.lastXid,
    head.lastSeq,
    head.size.toString(),
    SEAL_BATCH_ROWS,
    head.seqFloor,
  ])
  const batch = rows[0]
  return batch === undefined || batch.count === 0 ? undefined : batch
}

/** Snapshot and rows come from one statement, so xmin and what is visible are of one moment. */
function takeEntriesSql(log: LogDefinition, which: Waiting): string {
  const entry = postgresEntrySql(log)
  return `
    with batch as (
${waitingRowsSql(log, '$2', '$3', '$6', which)}
      order by r.xid, r.seq
      limit $5
    ), hashed as materialized (
      select id, created_at, xid, seq, ${entry.hash} as entry_hash,
             row_number() over (order by xid, seq) as place
      from (select r.id, r.created_at, r.xid, r.seq, ${entry.texts} from batch r offset 0) t
    ), stored as (
      insert into akashi_audit.ledger_entries (log, position, row_id, created_at, entry_hash)
      select $1, $4::bigint + place - 1, id, created_at, entry_hash from hashed order by place
    )
    select count(*)::integer as count,
           string_agg(entry_hash, ''::bytea order by place) as hashes,
           (array_agg(xid::text order by place desc))[1] as "lastXid",
           (array_agg(seq::text order by place desc))[1] as "lastSeq"
    from hashed`
}
