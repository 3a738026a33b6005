/** Opening epochs: by order, and where the database does not continue what it published. */
import { randomBytes } from 'node:crypto'
import { AkashiError } from '../../../foundation/index.ts'
import { type Keyring, signNote } from '../../../keys/index.ts'
import type { ObjectStore } from '../../../object-store/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { checkpointText } from '../checkpoint.ts'
import { type LogDefinition, logs } from '../logs.ts'
import { emptyRoot } from '../merkle.ts'
import {
  body,
  branchOf,
  checkpointKey,
  originOn,
  publishedBranches,
  publishedSizes,
  readNote,
} from '../published.ts'
import { SEAL_BATCH_ROWS, sealRows } from '../sealer.ts'
import { type Head, lockHead, readHead, readLogHeads } from '../store.ts'
import { isRekeyed } from '../verifier-keys.ts'
import { sharedHistory } from './history.ts'
import { type Epoch, type EpochCause, isKnown, linkText, lostEntries, readEpochs } from './link.ts'

/** Random bytes in the name of an epoch: two restores of one backup never share a name. */
const BRANCH_BYTES = 8

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
): Promise<Epoch[]> {
  requireReason(reason)
  return await openWhere(database, actor, keyring, store, () => Promise.resolve({ cause: 'ordered', reason }))
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
): Promise<Epoch[]> {
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
  requireReason(reason)
  const heads = await readLogHeads(database, actor)
  const rekeyed = await Promise.all(heads.map((head) => isRekeyed(keyring, head)))
  const resumed = rekeyed.includes(true)
  const { id } = await (resumed ? keyring.ensure('checkpoint') : keyring.rotate('checkpoint'))
  const epochs = await openWhere(database, actor, keyring, store, async (head) =>
    (await isRekeyed(keyring, head)) ? { cause: 'rekeyed', reason } : null,
  )
  return { keyId: id, resumed, epochs }
}

function requireReason(reason: string): void {
  if (reason.trim() === '' || /[\p{Cc}]/u.test(reason)) {
    throw new AkashiError('invalid_input', 'the reason of an epoch is one line of text')
  }
}

interface Occasion {
  readonly cause: EpochCause
  readonly reason: string
}

async function openWhere(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  store: ObjectStore,
  occasionFor: (head: Head, epochs: readonly Epoch[]) => Promise<Occasion | null>,
): Promise<Epoch[]> {
  const opened: Epoch[] = []
  for (const log of logs) {
    const { head, epochs } = await database.transaction(actor, async (session) => ({
      head: await readHead(session, log.log),
      epochs: await readEpochs(session, log.log),
    }))
    if (head === undefined || head.note === null) continue
    const occasion = await occasionFor(head, epochs)
    if (occasion === null) continue
    const { latest, common, unknown } = await sharedHistory(database, actor, store, head, epochs)
    const sealedSeq = await lastSealedSeq(database, actor, log, head)
    const key = await keyring.ensure('checkpoint')
    const epoch = await database.transaction(
      actor,
      async (session) => {
        const floor = await holdLog(session, log)
        const locked = await lockHead(session, log.log, emptyRoot)
        // Another process was faster.
        if (locked.epoch !== head.epoch) return null
        const previous = latest !== null && latest.size > locked.size ? latest : locked
        const moved = sealedSeq === null ? locked : { ...locked, seqFloor: sealedSeq }
        const all = sealedSeq === null ? locked : await sealRest(session, keyring, log, moved, 'moved')
        const begun = await sealRest(session, keyring, log, { ...all, seqFloor: locked.seqFloor }, 'all')
        return await begin(session, keyring, key.id, begun, floor, {
          ...occasion,
          previousOrigin: previous.origin,
          previousSize: previous.size,
          previousRoot: previous.root,
          // Without a conflict everything is shared, what was sealed since we looked included.
          commonSize: common === head.size ? locked.size : common,
          givenUp: unknown,
        })
      },
      { retries: 0 },
    )
    if (epoch === null) continue
    opened.push(epoch)
  }
  return opened
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

async function holdLog(session: Session, log: LogDefinition): Promise<string> {
  const { rows } = await session.query<{ floor: string }>('select akashi_audit.hold_log($1)::text as floor', [
    log.log,
  ])
  return rows[0]?.floor ?? '0'
}

/** While nobody can write, every row past the frontier is committed, whatever its xid means in this cluster. */
async function sealRest(
  session: Session,
  keyring: Keyring,
  log: LogDefinition,
  head: Head,
  which: 'all' | 'moved',
): Promise<Head> {
  let now = head
  for (;;) {
    const { rows } = await sealRows(session, keyring, log, now, which)
    if (rows > 0) now = { ...(await lockHead(session, log.log, emptyRoot)), seqFloor: head.seqFloor }
    if (rows < SEAL_BATCH_ROWS) return now
  }
}

type Given = Occasion &
  Pick<Epoch, 'previousOrigin' | 'previousSize' | 'previousRoot' | 'commonSize' | 'givenUp'>

async function begin(
  session: Session,
  keyring: Keyring,
  keyId: string,
  head: Head,
  floor: string,
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
  // Whoever writes from now on has a transaction at or after this xmin, and a seq past the floor.
  await session.query(
    `update akashi_audit.ledger_heads
     set epoch = $2, origin = $3, note = $4, seq_floor = $5, last_xid = pg_snapshot_xmin(pg_current_snapshot()), last_seq = 0,
         system_identifier = own.system_identifier, timeline = own.timeline
     from akashi_audit.system_identity() own where log = $1`,
    [log, epoch.epoch, epoch.origin, await signNote(keyring, keyId, epoch.origin, checkpoint), floor],
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

async function findCause(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  head: Head,
  epochs: readonly Epoch[],
): Promise<Occasion | null> {
  const { log, origin, size, note } = head
  for (const { branch } of await publishedBranches(store, log)) {
    if (!isKnown(epochs, head, originOn(origin, branch))) {
      return { cause: 'older', reason: `epoch ${branch} was published, the database does not know it` }
    }
  }
  for await (const later of publishedSizes(store, log, branchOf(origin), size + 1n)) {
    return { cause: 'older', reason: `size ${later.size} was published, the database has ${size} entries` }
  }
  const published = await readNote(store, checkpointKey(log, origin, size))
  if (published !== undefined && note !== null && body(published) !== body(note)) {
    return { cause: 'conflict', reason: `another checkpoint of size ${size} was published` }
  }
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ cluster: string; timeline: number | null }>(
      'select system_identifier::text as cluster, timeline from akashi_audit.system_identity()',
    ),
  )
  const [here] = rows
  if (head.systemIdentifier !== null && here !== undefined && here.cluster !== head.systemIdentifier) {
    return { cause: 'moved', reason: `cluster ${here.cluster}, sealed in ${head.systemIdentifier}` }
  }
  if (head.timeline !== null && here?.timeline != null && here.timeline !== head.timeline) {
    return { cause: 'moved', reason: `timeline ${here.timeline}, sealed in ${head.timeline}` }
  }
  return null
}
