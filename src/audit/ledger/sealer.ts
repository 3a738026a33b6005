/**
 * The sealer adds rows to the ledger: those below the snapshot's xmin, in (xid, seq) order. Every transaction below
 * xmin has ended, so no further row can appear there: no row is missed or added twice, in whatever order transactions
 * commit. An open transaction delays the frontier, but loses no row.
 */
import { AkashiError, given } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import { signNote } from '../../keys/index.ts'
import { type Actor, type Database, type Session, sqlState } from '../../postgres/index.ts'
import { checkpointText } from './checkpoint.ts'
import { postgresEntrySql } from './encoding.ts'
import type { LogDefinition } from './logs.ts'
import { emptyRoot, leafHash, splitHashes } from './merkle.ts'
import { countWaiting, firstWaitingRow, preferIndexes } from './next-rows.ts'
import { commitDurably, type Head, lockHead, readHead, tileReader, writeTiles } from './store.ts'
import { TiledTree } from './tiles.ts'
import { isRekeyed, replacedKey } from './verifier-keys.ts'
import { batchSql, SEAL_BATCH_ROWS, type Waiting, waitingRowsSql } from './waiting-rows.ts'

/** Milliseconds for one statement of the sealer; a batch that takes longer is halved. */
export const SEAL_TIMEOUT_MS = 20_000

/** SQLSTATEs of a batch that is too large: time-out, a limit of PostgreSQL (1 GB of text), memory. */
const TOO_LARGE = ['57014', '54000', '53200']

/** Told in every transaction that seals rows. */
export const SEALED_CHANNEL = 'akashi_sealed'

export interface Sealed {
  readonly log: string
  /** Rows taken by this call. */
  readonly rows: number
  readonly size: bigint
}

/** Seals every row below the frontier of one log. Commits after each batch; may be interrupted at any time. */
export async function seal(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  log: LogDefinition,
  signal?: AbortSignal,
): Promise<Sealed> {
  const sealer = new LogSealer(keyring, log)
  let rows = 0
  for (;;) {
    const batch = await sealer.next(database, actor, signal)
    rows += batch.rows
    if (!batch.more) return { log: log.log, rows, size: batch.size }
  }
}

export interface SealedBatch {
  readonly rows: number
  readonly size: bigint
  /** Whether more rows can be sealed now. */
  readonly more: boolean
}

/** Seals one log batch by batch. A batch that is too large for the server is halved, down to one row. */
export class LogSealer {
  readonly log: LogDefinition
  readonly #keyring: Keyring
  #limit = SEAL_BATCH_ROWS

  constructor(keyring: Keyring, log: LogDefinition) {
    this.#keyring = keyring
    this.log = log
  }

  /** @throws AkashiError too_large when a row cannot be sealed even alone; the message names it */
  async next(database: Database, actor: Actor, signal?: AbortSignal): Promise<SealedBatch> {
    const limit = this.#limit
    try {
      const batch = await database.transaction(
        actor,
        (session) => sealBatch(session, this.#keyring, this.log, limit),
        { timeoutMs: SEAL_TIMEOUT_MS, ...given({ signal }) },
      )
      if (batch.more) this.#limit = Math.min(limit * 2, SEAL_BATCH_ROWS)
      return batch
    } catch (error) {
      if (signal?.aborted === true) throw error
      if (lacksLocks(error)) throw tooFewLocks(this.log, error)
      if (!isTooLarge(error)) throw error
      const tried = await countWaiting(database, actor, this.log, limit)
      if (tried <= 1) throw await unsealable(database, actor, this.log, error)
      this.#limit = Math.ceil(tried / 2)
      return { rows: 0, size: 0n, more: true }
    }
  }
}

function isTooLarge(error: unknown): error is AkashiError {
  return error instanceof AkashiError && TOO_LARGE.includes(sqlState(error) ?? '')
}

/** A smaller batch reads the same partitions. */
function lacksLocks(error: unknown): boolean {
  return error instanceof AkashiError && /out of shared memory/.test(String(error.cause))
}

function tooFewLocks(log: LogDefinition, cause: unknown): AkashiError {
  return new AkashiError(
    'unavailable',
    `the server has too few locks for the partitions of ${log.schema}.${log.table}`,
    { hint: 'raise max_locks_per_transaction, e.g. to 512, and restart PostgreSQL', cause },
  )
}

/** The error for the next row, which is too large. */
async function unsealable(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  cause: AkashiError,
): Promise<AkashiError> {
  const row = await firstWaitingRow(database, actor, log)
  return new AkashiError(
    'too_large',
    `row ${row?.id} of ${log.schema}.${log.table}, of ${row?.createdAt}, cannot be sealed, and all later rows wait: ${cause.message}`,
    {
      hint: 'it is larger than any row that Akashi writes: find out who wrote it and follow docs/runbooks/ledger.md',
      detail: { log: log.log, id: row?.id },
      cause,
    },
  )
}

interface Batch {
  readonly count: number
  /** Whether it ended at its limit. */
  readonly full: boolean
  /** Entry hashes side by side, in order. */
  readonly hashes: Buffer
  readonly lastXid: string
  readonly lastSeq: string
}

async function sealBatch(
  session: Session,
  keyring: Keyring,
  log: LogDefinition,
  limit: number,
): Promise<SealedBatch> {
  await session.query('select akashi_audit.assert_unfiltered($1::regclass)', [`${log.schema}.${log.table}`])
  await preferIndexes(session)
  // Locking the head writes, which an idle database should not do several times a second.
  const seen = await readHead(session, log.log)
  if (seen !== undefined && !(await hasRowsBelowFrontier(session, log, seen)))
    return { rows: 0, size: seen.size, more: false }
  // A checkpoint lost in a crash would cause a fork.
  await commitDurably(session)
  const head = await lockHead(session, log.log, emptyRoot)
  if (await isRekeyed(keyring, head)) throw replacedKey(log)
  return await sealRows(session, keyring, log, head, { which: 'ended', limit })
}

export interface SealRange {
  readonly which: Waiting
  /** Rows of one batch. */
  readonly limit?: number
  /** Last seq that is sealed, for `before` and `moved`. */
  readonly until?: string
}

/** Takes one batch into the tree of a locked head. */
export async function sealRows(
  session: Session,
  keyring: Keyring,
  log: LogDefinition,
  head: Head,
  range: SealRange,
): Promise<SealedBatch> {
  const { which } = range
  const batch = await takeEntries(session, log, head, range)
  if (batch === undefined) return { rows: 0, size: head.size, more: false }
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
         timeline = case when ledger_heads.size > 0 then coalesce(ledger_heads.timeline, own.timeline) else own.timeline end
     from akashi_audit.system_identity() own
     where log = $1
     returning pg_notify('${SEALED_CHANNEL}', '')`,
    [
      log.log,
      tree.size.toString(),
      root,
      note,
      which === 'moved' ? head.lastXid : batch.lastXid,
      which === 'moved' ? head.lastSeq : batch.lastSeq,
    ],
  )
  return { rows: batch.count, size: tree.size, more: batch.full }
}

/**
 * Fails in another cluster or on another timeline than the head's: entries that were sealed there may have been
 * published under the same origin, and transaction numbers of another cluster cannot be compared.
 */
async function hasRowsBelowFrontier(session: Session, log: LogDefinition, head: Head): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean; cluster: string; timeline: number | null }>(
    `select exists (${waitingRowsSql(log, 'ended', { xid: '$1', seq: '$2', floor: '$3', until: '' })}) as found,
            own.system_identifier::text as cluster, own.timeline
     from akashi_audit.system_identity() own`,
    [head.lastXid, head.lastSeq, head.seqFloor],
  )
  const [row] = rows
  const { systemIdentifier, timeline } = head
  if (head.size > 0n && systemIdentifier !== null && row?.cluster !== systemIdentifier)
    throw sealedElsewhere(log, 'in another cluster')
  if (head.size > 0n && timeline !== null && row?.timeline != null && row.timeline !== timeline)
    throw sealedElsewhere(log, `on timeline ${timeline}, and this is timeline ${row.timeline}`)
  return row?.found === true
}

function sealedElsewhere(log: LogDefinition, where: string): AkashiError {
  return new AkashiError('conflict', `log ${log.log} was sealed ${where}: it needs a new epoch here`, {
    hint: 'the worker opens one when it publishes, within a minute; or run akashi audit epoch',
  })
}

async function takeEntries(
  session: Session,
  log: LogDefinition,
  head: Head,
  { which, limit = SEAL_BATCH_ROWS, until = '0' }: SealRange,
): Promise<Batch | undefined> {
  const { rows } = await session.query<Batch>(takeEntriesSql(log, which), [
    log.log,
    head.lastXid,
    head.lastSeq,
    head.size.toString(),
    limit,
    head.seqFloor,
    ...(which === 'ended' ? [] : [until]),
  ])
  const batch = rows[0]
  return batch === undefined || batch.count === 0 ? undefined : batch
}

/** Snapshot and rows come from one statement, so xmin and what is visible are of one moment. */
function takeEntriesSql(log: LogDefinition, which: Waiting): string {
  const entry = postgresEntrySql(log)
  return `
    with ${batchSql(log, which)}, hashed as materialized (
      select id, created_at, xid, seq, ${entry.hash} as entry_hash,
             row_number() over (order by xid, seq) as place
      from (select r.id, r.created_at, r.xid, r.seq, ${entry.texts} from batch r offset 0) t
    ), stored as (
      insert into akashi_audit.ledger_entries (log, position, row_id, created_at, entry_hash)
      select $1, $4::bigint + place - 1, id, created_at, entry_hash from hashed order by place
    )
    select count(*)::integer as count,
           count(*) >= (select n from taken) as full,
           string_agg(entry_hash, ''::bytea order by place) as hashes,
           (array_agg(xid::text order by place desc))[1] as "lastXid",
           (array_agg(seq::text order by place desc))[1] as "lastSeq"
    from hashed`
}
