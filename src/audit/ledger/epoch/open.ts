/** Opening epochs: by order, and where the database does not continue what it published. */
import { randomBytes } from 'node:crypto'
import { AkashiError, requireReason } from '../../../foundation/index.ts'
import { type Keyring, signNote } from '../../../keys/index.ts'
import type { ObjectStore } from '../../../object-store/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { checkpointText } from '../checkpoint.ts'
import { type LogDefinition, logs } from '../logs.ts'
import { emptyRoot } from '../merkle.ts'
import { originOn } from '../published.ts'
import { sealRows } from '../sealer.ts'
import { commitDurably, type Head, lockHead, readHead, readLogHeads } from '../store.ts'
import { isRekeyed } from '../verifier-keys.ts'
import { findCause, type Occasion } from './cause.ts'
import { betweenWriters, type Fence, fenceLog } from './fence.ts'
import { sharedHistory } from './history.ts'
import { type Epoch, linkText, lostEntries, readEpochs } from './link.ts'

/** Random bytes in the name of an epoch: two restores of one backup never share a name. */
const BRANCH_BYTES = 8

/** Milliseconds for one statement that seals what the last epoch left. */
const EPOCH_TIMEOUT_MS = 600_000

/**
 * Opens a new epoch of every log that has a head, by order: after a restore, or to accept one that opened by
 * itself and gave entries up. Rows that are committed and not sealed are sealed into it. Its link is published
 * with its first checkpoint: a copy that is only looked at leaves the history of the running system alone.
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
  return allOpened(
    await openWhere(database, actor, keyring, store, () => Promise.resolve({ cause: 'ordered', reason })),
  )
}

/**
 * Opens a new epoch of each log that does not continue what it published, or that was sealed in another cluster
 * or timeline. An alarm goes with each; one that gives published entries up stays a problem of verification
 * until {@link openEpoch} accepts it.
 */
export async function openEpochsWhereNeeded(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  store: ObjectStore,
): Promise<Opened> {
  return await openWhere(
    database,
    actor,
    keyring,
    store,
    async (head, epochs) =>
      (await findCause(database, actor, store, head, epochs)) ??
      ((await isRekeyed(keyring, head))
        ? { cause: 'rekeyed', reason: 'the signing key was replaced' }
        : null),
  )
}

/**
 * Replaces the key that signs checkpoints and opens a new epoch of every log under it; the former key counts for the
 * epochs before. Completes a rotation that was interrupted instead of making another key, as the worker does within a
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
    await openWhere(database, actor, keyring, store, async (head) =>
      (await isRekeyed(keyring, head)) ? { cause: 'rekeyed', reason } : null,
    ),
  )
  return { keyId: id, resumed, epochs }
}

export interface Opened {
  readonly opened: readonly Epoch[]
  /** Logs that need an epoch and have none yet, with the reason. The others go on. */
  readonly failed: ReadonlyMap<string, AkashiError>
}

/** The epochs, or the first failure after all were tried. */
function allOpened({ opened, failed }: Opened): readonly Epoch[] {
  for (const error of failed.values()) throw error
  return opened
}

async function openWhere(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  store: ObjectStore,
  occasionFor: (head: Head, epochs: readonly Epoch[]) => Promise<Occasion | null>,
): Promise<Opened> {
  const opened: Epoch[] = []
  const failed = new Map<string, AkashiError>()
  for (const log of logs) {
    try {
      const epoch = await openWhereNeeded(database, actor, keyring, store, log, occasionFor)
      if (epoch !== null) opened.push(epoch)
    } catch (error) {
      if (!(error instanceof AkashiError)) throw error
      failed.set(log.log, error)
    }
  }
  return { opened, failed }
}

async function openWhereNeeded(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  store: ObjectStore,
  log: LogDefinition,
  occasionFor: (head: Head, epochs: readonly Epoch[]) => Promise<Occasion | null>,
): Promise<Epoch | null> {
  const { head, epochs } = await database.transaction(actor, async (session) => ({
    head: await readHead(session, log.log),
    epochs: await readEpochs(session, log.log),
  }))
  if (head === undefined || head.note === null) return null
  const occasion = await occasionFor(head, epochs)
  if (occasion === null) return null
  const { latest, common, unknown } = await sharedHistory(database, actor, store, head, epochs)
  const sealedSeq = await lastSealedSeq(database, actor, log, head)
  const key = await keyring.ensure('checkpoint')
  return await betweenWriters(log, () =>
    database.transaction(
      actor,
      async (session) => {
        await commitDurably(session)
        const locked = await lockHead(session, log.log, emptyRoot)
        // Another process was faster.
        if (locked.epoch !== head.epoch) return null
        const fence = await fenceLog(session, log)
        const previous = latest !== null && latest.size > locked.size ? latest : locked
        const moved = sealedSeq === null ? locked : { ...locked, seqFloor: sealedSeq }
        const all =
          sealedSeq === null ? locked : await sealRest(session, keyring, log, moved, 'moved', fence.floor)
        const begun = await sealRest(
          session,
          keyring,
          log,
          { ...all, seqFloor: locked.seqFloor },
          'before',
          fence.floor,
        )
        return await begin(session, keyring, key.id, begun, fence, {
          ...occasion,
          previousOrigin: previous.origin,
          previousSize: previous.size,
          previousRoot: previous.root,
          // Without a conflict everything is shared, what was sealed meanwhile included.
          commonSize: common === head.size ? locked.size : common,
          givenUp: unknown,
        })
      },
      { retries: 0, timeoutMs: EPOCH_TIMEOUT_MS },
    ),
  )
}

/** The last seq that was sealed in the cluster before; null when this is the one that sealed. Reads every row. */
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

/** Every row up to the floor is committed, whatever its xid means in this cluster. */
async function sealRest(
  session: Session,
  keyring: Keyring,
  log: LogDefinition,
  head: Head,
  which: 'before' | 'moved',
  until: string,
): Promise<Head> {
  let now = head
  for (;;) {
    const { rows, more } = await sealRows(session, keyring, log, now, which, { until })
    if (rows > 0) now = { ...(await lockHead(session, log.log, emptyRoot)), seqFloor: head.seqFloor }
    if (!more) return now
  }
}

type Given = Occasion &
  Pick<Epoch, 'previousOrigin' | 'previousSize' | 'previousRoot' | 'commonSize' | 'givenUp'>

async function begin(
  session: Session,
  keyring: Keyring,
  keyId: string,
  head: Head,
  { floor, xmin }: Fence,
  given: Given,
): Promise<Epoch> {
  const { log, size, root } = head
  const origin = originOn(head.origin, randomBytes(BRANCH_BYTES).toString('hex'))
  const link = { ...given, log, epoch: head.epoch + 1, origin, size, root }
  const note = await signNote(keyring, keyId, link.origin, linkText(link))
  const epoch: Epoch = { ...link, note }
  await session.query(
    `insert into akashi_audit.ledger_epochs (log, epoch, origin, cause, reason, previous_origin, previous_size, previous_root,
       common_size, given_up, size, root, note) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
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
