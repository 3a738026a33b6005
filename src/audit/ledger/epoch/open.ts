/** Opens epochs: on request, and when the database does not continue what it published. */
import { randomBytes } from 'node:crypto'
import { AkashiError, requireReason } from '../../../foundation/index.ts'
import { type Keyring, signNote } from '../../../keys/index.ts'
import type { ObjectStore } from '../../../object-store/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { checkpointText } from '../checkpoint.ts'
import { type LogDefinition, logs } from '../logs.ts'
import { emptyRoot } from '../merkle.ts'
import { originOn } from '../published.ts'
import { digestRecords, readRecords } from '../retention.ts'
import { sealRows } from '../sealer.ts'
import { commitDurably, type Head, lockHead, readHead, readLogHeads } from '../store.ts'
import { isRekeyed } from '../verifier-keys.ts'
import { type EpochTrigger, findCause } from './cause.ts'
import { betweenWriters, type Fence, fenceLog } from './fence.ts'
import { sharedHistory } from './history.ts'
import { type Epoch, linkText, lostEntries, readEpochs } from './link.ts'

/** Random bytes in the name of an epoch, so that two restores of one backup never share a name. */
const BRANCH_BYTES = 8

/** Milliseconds for one statement that seals the remaining rows of the last epoch. */
const EPOCH_TIMEOUT_MS = 600_000

/**
 * Opens a new epoch of every log that has a head, on request: after a restore, or to accept an automatic epoch that
 * lost entries. Committed rows that are not sealed yet are sealed first. The link is published with the first
 * checkpoint, so that a copy that is only inspected does not affect the history of the running system.
 *
 * @param reason one line, signed into the link
 */
export async function openEpoch(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  store: ObjectStore,
  reason: string,
): Promise<readonly Epoch[]> {
  requireReason(reason, 'the reason of an epoch')
  const context = { database, actor, keyring, store }
  return allOpened(await openEpochs(context, () => Promise.resolve({ cause: 'ordered', reason })))
}

/**
 * Opens a new epoch of each log that does not continue what it published, or that was sealed in another cluster or on
 * another timeline. Each raises an alarm. An epoch that loses published entries remains a problem of verification until
 * {@link openEpoch} accepts it.
 */
export async function openEpochsWhereNeeded(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  store: ObjectStore,
): Promise<Opened> {
  return await openEpochs(
    { database, actor, keyring, store },
    async (head, epochs) =>
      (await findCause(database, actor, store, head, epochs)) ??
      ((await isRekeyed(keyring, head))
        ? { cause: 'rekeyed', reason: 'the signing key was replaced' }
        : null),
  )
}

/**
 * Replaces the key that signs checkpoints and opens a new epoch of every log with it; the former key remains valid for
 * earlier epochs. Completes an interrupted rotation instead of creating another key, as the worker does within a
 * minute; until then nothing is sealed.
 *
 * @param reason one line, signed into the links
 */
export async function rotateCheckpointKey(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  store: ObjectStore,
  reason: string,
): Promise<{ readonly keyId: string; readonly resumed: boolean; readonly epochs: readonly Epoch[] }> {
  requireReason(reason, 'the reason of an epoch')
  const heads = await readLogHeads(database, actor)
  const rekeyed = await Promise.all(heads.map((head) => isRekeyed(keyring, head)))
  const resumed = rekeyed.includes(true)
  const { id } = await (resumed ? keyring.ensure('checkpoint') : keyring.rotate('checkpoint'))
  const epochs = allOpened(
    await openEpochs({ database, actor, keyring, store }, async (head) =>
      (await isRekeyed(keyring, head)) ? { cause: 'rekeyed', reason } : null,
    ),
  )
  return { keyId: id, resumed, epochs }
}

export interface Opened {
  readonly opened: readonly Epoch[]
  /** Logs whose epoch could not be opened, with the reason. */
  readonly failed: ReadonlyMap<string, AkashiError>
}

/** @throws the first failure */
function allOpened({ opened, failed }: Opened): readonly Epoch[] {
  for (const error of failed.values()) throw error
  return opened
}

interface EpochContext {
  readonly database: Database
  readonly actor: Actor
  readonly keyring: Keyring
  readonly store: ObjectStore
}

/** Why a log needs a new epoch; null when it does not. */
type FindTrigger = (head: Head, epochs: readonly Epoch[]) => Promise<EpochTrigger | null>

/** Opens an epoch of each log that needs one; the failure of one log does not affect the others. */
async function openEpochs(context: EpochContext, findTrigger: FindTrigger): Promise<Opened> {
  const opened: Epoch[] = []
  const failed = new Map<string, AkashiError>()
  for (const log of logs) {
    try {
      const epoch = await openIfNeeded(context, log, findTrigger)
      if (epoch !== null) opened.push(epoch)
    } catch (error) {
      if (!(error instanceof AkashiError)) throw error
      failed.set(log.log, error)
    }
  }
  return { opened, failed }
}

async function openIfNeeded(
  { database, actor, keyring, store }: EpochContext,
  log: LogDefinition,
  findTrigger: FindTrigger,
): Promise<Epoch | null> {
  const { head, epochs } = await database.transaction(actor, async (session) => ({
    head: await readHead(session, log.log),
    epochs: await readEpochs(session, log.log),
  }))
  if (head === undefined || head.note === null) return null
  const trigger = await findTrigger(head, epochs)
  if (trigger === null) return null
  const { latest, common, unknown } = await sharedHistory(database, actor, store, head, epochs)
  const sealedSeq = await lastSealedSeq(database, actor, log, head)
  const key = await keyring.ensure('checkpoint')
  return await betweenWriters(log, () =>
    database.transaction(
      actor,
      async (session) => {
        await commitDurably(session)
        const locked = await lockHead(session, log.log, emptyRoot)
        // Another process opened it.
        if (locked.epoch !== head.epoch) return null
        const fence = await fenceLog(session, log)
        const previous = latest !== null && latest.size > locked.size ? latest : locked
        const moved = sealedSeq === null ? locked : { ...locked, seqFloor: sealedSeq }
        const until = fence.floor
        const withMoved =
          sealedSeq === null
            ? locked
            : await sealRest(session, keyring, log, moved, { which: 'moved', until })
        const sealed = await sealRest(
          session,
          keyring,
          log,
          { ...withMoved, seqFloor: locked.seqFloor },
          { which: 'before', until },
        )
        return await begin(session, keyring, sealed, fence, {
          ...trigger,
          keyId: key.id,
          previousOrigin: previous.origin,
          previousSize: previous.size,
          previousRoot: previous.root,
          // Without a conflict everything is shared, including entries sealed in the meantime.
          commonSize: common === head.size ? locked.size : common,
          givenUp: unknown,
        })
      },
      { retries: 0, timeoutMs: EPOCH_TIMEOUT_MS },
    ),
  )
}

/** The last seq that was sealed in the previous cluster; null when this cluster sealed. Reads every row. */
async function lastSealedSeq(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  head: Head,
): Promise<string | null> {
  return await database.transaction(
    actor,
    async (session) => {
      const { rows: clusters } = await session.query<{ cluster: string }>(
        'select system_identifier::text as cluster from akashi_audit.system_identity()',
      )
      if (head.systemIdentifier === null || clusters[0]?.cluster === head.systemIdentifier) return null
      const { rows } = await session.query<{ seq: string }>(
        `select coalesce(max(r.seq), 0)::text as seq from ${log.schema}.${log.table} r
         join akashi_audit.ledger_entries e on e.log = $1 and e.row_id = r.id`,
        [log.log],
      )
      return rows[0]?.seq ?? '0'
    },
    { readOnly: true, timeoutMs: 0 },
  )
}

/** Seals the rows up to the floor, all of which are committed, including rows with xids of another cluster. */
async function sealRest(
  session: Session,
  keyring: Keyring,
  log: LogDefinition,
  head: Head,
  range: { readonly which: 'before' | 'moved'; readonly until: string },
): Promise<Head> {
  let now = head
  for (;;) {
    const { rows, more } = await sealRows(session, keyring, log, now, range)
    if (rows > 0) now = { ...(await lockHead(session, log.log, emptyRoot)), seqFloor: head.seqFloor }
    if (!more) return now
  }
}

type EpochDraft = EpochTrigger &
  Pick<Epoch, 'previousOrigin' | 'previousSize' | 'previousRoot' | 'commonSize' | 'givenUp'> & {
    readonly keyId: string
  }

async function begin(
  session: Session,
  keyring: Keyring,
  head: Head,
  { floor, xmin }: Fence,
  { keyId, ...draft }: EpochDraft,
): Promise<Epoch> {
  const { log, size, root } = head
  const origin = originOn(head.origin, randomBytes(BRANCH_BYTES).toString('hex'))
  const retentionDigest = digestRecords(await readRecords(session, log))
  const link = { ...draft, log, epoch: head.epoch + 1, origin, size, root, retentionDigest }
  const note = await signNote(keyring, keyId, link.origin, linkText(link))
  const epoch: Epoch = { ...link, note }
  await session.query(
    `insert into akashi_audit.ledger_epochs (log, epoch, origin, cause, reason, previous_origin, previous_size, previous_root,
       common_size, given_up, size, root, retention_digest, note)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      log,
      epoch.epoch,
      epoch.origin,
      epoch.cause,
      epoch.reason,
      epoch.previousOrigin,
      epoch.previousSize.toString(),
      epoch.previousRoot,
      epoch.commonSize.toString(),
      epoch.givenUp,
      size.toString(),
      root,
      retentionDigest,
      note,
    ],
  )
  const checkpoint = checkpointText({ origin: epoch.origin, size, root })
  await session.query(
    `update akashi_audit.ledger_heads
     set epoch = $2, origin = $3, note = $4, seq_floor = $5, last_xid = $6, last_seq = 0,
         system_identifier = own.system_identifier, timeline = own.timeline
     from akashi_audit.system_identity() own where log = $1`,
    [log, epoch.epoch, epoch.origin, await signNote(keyring, keyId, epoch.origin, checkpoint), floor, xmin],
  )
  await session.query('select akashi_audit.alert_ledger_epoch($1)', [
    JSON.stringify({
      log,
      epoch: epoch.epoch,
      origin: epoch.origin,
      cause: epoch.cause,
      reason: epoch.reason,
      size: size.toString(),
      common: epoch.commonSize.toString(),
      previousSize: epoch.previousSize.toString(),
      lost: lostEntries(epoch).toString(),
    }),
  ])
  return epoch
}
