/** Compares the write-ahead log with the trail until it is stopped: reads the slot, judges, keeps what was found. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, type Log } from '../../foundation/index.ts'
import {
  type Actor,
  type Database,
  formatLsn,
  type Lsn,
  openReplication,
  type Session,
} from '../../postgres/index.ts'
import { recordDiscrepancies } from './found.ts'
import { judge } from './judge.ts'
import { decodeMessage } from './pgoutput.ts'
import {
  beginGap,
  beginProgress,
  committedUpTo,
  endGap,
  type GapCause,
  keepProgress,
  type Progress,
  readProgress,
  sealProgress,
} from './progress.ts'
import { type Ended, Reader } from './reader.ts'
import { Relations } from './relations.ts'
import {
  type CrosscheckSlot,
  createCrosscheckSlot,
  crosscheckObstacle,
  dropCrosscheckSlot,
  PUBLICATION,
  readCrosscheckSlot,
} from './slot.ts'
import {
  keepTraces,
  keepTruncated,
  type Suspect,
  suspectTables,
  unwatched,
  unwatchedTables,
} from './traces.ts'

/** Milliseconds within which a compared position is kept when something that is protected changed. */
const KEEP_MS = 1_000
/** The same when nothing did; the server keeps the WAL of that time. */
const KEEP_IDLE_MS = 10_000
/** Milliseconds between two rows of the trail that say what was compared. */
const SEAL_MS = 60_000
/** Milliseconds between two reports to the server of what was compared. */
const REPORT_MS = 200
/** Milliseconds between two looks at the catalog and at the settings. */
const LOOK_MS = 3_000
/** Transactions whose logins are kept, the latest ones. */
const MAX_LOGINS = 10_000

export interface CrosscheckSource {
  /** Of a login that may replicate, directly to the server. */
  readonly url: string
  /** Of the same login. */
  readonly database: Pick<Database, 'direct'>
}

export interface CrosscheckOptions {
  readonly source: CrosscheckSource
  /** Of the role `worker`. */
  readonly worker: Database
  readonly actor: Actor
  readonly signal: AbortSignal
  readonly log: Log
  /** Compares the rows of a table with the trail, and keeps what differs. */
  readonly checkState: (table: Pick<Suspect, 'schema' | 'table'>, signal: AbortSignal) => Promise<unknown>
}

/**
 * Runs until the signal is aborted, the server ends it, or it is switched off; what is due then, the next call goes on with.
 * One at a time: the slot has one reader.
 */
export async function crosscheck(options: CrosscheckOptions): Promise<void> {
  const { source } = options
  const begun = await begin(options)
  // It may have been stopped meanwhile, which is told once.
  if (begun === null || options.signal.aborted) return
  const cut = new AbortController()
  const stop = () => cut.abort()
  options.signal.addEventListener('abort', stop, { once: true })
  const comparison = new Comparison(options, begun)
  const looking = look(options, comparison, cut)
  try {
    await comparison.run(source.url, cut.signal)
  } catch (error) {
    if (!cut.signal.aborted) throw error
  } finally {
    cut.abort()
    options.signal.removeEventListener('abort', stop)
    await looking
  }
}

/** The position to go on from; null when there is nothing to read, which is then recorded as a gap. */
async function begin({ source, worker, actor, log }: CrosscheckOptions): Promise<Progress | null> {
  const progress = await worker.transaction(actor, readProgress)
  const slot = await readCrosscheckSlot(source.database)
  const from = progress?.compared ?? null
  const missing = async (cause: GapCause, detail: string) => {
    await worker.transaction(actor, (session) => beginGap(session, { cause, detail, from }))
    return null
  }
  if (!(await worker.transaction(actor, standing, { readOnly: true })).enabled) {
    if (slot !== null) await dropCrosscheckSlot(source.database)
    return await missing('off', 'crosscheck.enabled is false')
  }
  const obstacle = await crosscheckObstacle(source.url)
  if (obstacle !== undefined) return await missing('no_logical_wal', obstacle)
  const here = await worker.transaction(actor, async (session) => {
    const { rows } = await session.query<{ system: string; timeline: number | null }>(
      'select system_identifier::text as system, timeline from akashi_audit.system_identity()',
    )
    return rows[0]
  })
  if (here?.timeline == null) return null
  const reason = progress === null ? undefined : lostBecause(progress, slot, here)
  if (progress !== null && slot !== null && reason === undefined) return progress
  if (slot !== null) await dropCrosscheckSlot(source.database)
  const made = await createCrosscheckSlot(source.database)
  await worker.transaction(actor, async (session) => {
    const ended = await endGap(session, made.confirmed)
    if (!ended && progress !== null && reason !== undefined) {
      log.error(
        { from: formatLsn(progress.compared), to: formatLsn(made.confirmed), reason: reason.detail },
        'changes were not compared with the trail',
      )
      await beginGap(session, { ...reason, from: progress.compared, to: made.confirmed })
    }
    await beginProgress(session, made.name, made.confirmed)
  })
  return await worker.transaction(actor, readProgress)
}

/** Gives the WAL up that waits to be compared, also while it is read: a gap until the cross-check begins anew. */
export async function giveUpCrosscheck(
  source: Pick<Database, 'direct'>,
  worker: Database,
  actor: Actor,
  reason: string,
): Promise<void> {
  await giveUp(source, worker, actor, 'wal_given_up', reason)
}

async function giveUp(
  source: Pick<Database, 'direct'>,
  worker: Database,
  actor: Actor,
  cause: GapCause,
  detail: string,
): Promise<void> {
  await worker.transaction(actor, async (session) => {
    const from = (await readProgress(session))?.compared ?? null
    await beginGap(session, { cause, detail, from })
  })
  await dropCrosscheckSlot(source, { force: true })
}

/**
 * Puts the publication right. Where it was not, the slot goes, which would send nothing from that time; the cross-check
 * makes another, and the range is a gap.
 *
 * @param owner an administrator, who may alter the publication and owns the protected tables
 * @returns what was wrong
 * @throws forbidden
 */
export async function repairCrosscheck(
  source: Pick<Database, 'direct'>,
  owner: Database,
  worker: Database,
  actor: Actor,
): Promise<readonly string[]> {
  const wrong = await owner.direct(async (session) => {
    const { rows } = await session.query<{ wrong: string[] }>(
      'select akashi_audit.repair_publication() as wrong',
    )
    return rows[0]?.wrong ?? []
  })
  const slot = await readCrosscheckSlot(source)
  const lost = slot?.lost === true ? ['the replication slot was lost'] : []
  if (wrong.length + lost.length > 0) {
    const cause = wrong.length > 0 ? 'publication_altered' : 'slot_lost'
    await giveUp(source, worker, actor, cause, [...wrong, ...lost].join('; '))
  }
  return [...wrong, ...lost]
}

/** Why the slot does not go on where the comparison ended; undefined if it does. */
function lostBecause(
  progress: Progress,
  slot: CrosscheckSlot | null,
  here: { readonly system: string; readonly timeline: number | null },
): { readonly cause: GapCause; readonly detail: string } | undefined {
  if (progress.systemIdentifier !== here.system || progress.timeline !== here.timeline) {
    return { cause: 'moved', detail: 'the database is in another cluster, or on another timeline of it' }
  }
  if (slot === null) return { cause: 'slot_lost', detail: 'the replication slot was dropped' }
  if (slot.lost)
    return {
      cause: 'slot_lost',
      detail: 'the server gave up the WAL of the replication slot, or another is in its place',
    }
  if (slot.confirmed > progress.compared) {
    return { cause: 'slot_lost', detail: 'the replication slot was made anew or advanced by somebody else' }
  }
  return undefined
}

interface Standing {
  readonly enabled: boolean
  /** Which transactions have ended. */
  readonly ended: string
  /** Logins of those that have not, by their number of 32 bits. */
  readonly logins: Readonly<Record<string, string>>
}

/** Whether the cross-check is wanted, and what runs. */
async function standing(session: Session): Promise<Standing> {
  const { rows } = await session.query<Standing>(
    `select akashi_lifecycle.setting('crosscheck.enabled') = 'true'::jsonb as enabled,
            pg_current_snapshot()::text as ended,
            (select coalesce(jsonb_object_agg(backend_xid::text, usename), '{}') from pg_stat_activity
             where backend_xid is not null and datname = current_database()) as logins`,
  )
  return rows[0] ?? { enabled: false, ended: '', logins: {} }
}

/** Looks at what the log does not carry, and whether the cross-check is still wanted. */
async function look(options: CrosscheckOptions, comparison: Comparison, cut: AbortController): Promise<void> {
  const { worker, log } = options
  while (!cut.signal.aborted) {
    try {
      // One statement each time, while nothing happens, and not those of a transaction.
      await worker.direct((session) => lookRepeatedly(session, options, comparison, cut), {
        signal: cut.signal,
      })
    } catch (error) {
      if (!cut.signal.aborted) log.warn({ err: error }, 'the cross-check could not look at the catalog')
    }
    await pause(cut.signal)
  }
}

async function lookRepeatedly(
  session: Session,
  options: CrosscheckOptions,
  comparison: Comparison,
  cut: AbortController,
): Promise<void> {
  // While no transaction ends, the catalog stays as it was when it was looked at last.
  let seen: string | undefined
  while (!cut.signal.aborted) {
    const { enabled, ended, logins } = await standing(session)
    comparison.running(logins)
    if (!enabled) cut.abort()
    else if (ended !== seen) await lookOnce(options, comparison, cut.signal)
    seen = ended
    await pause(cut.signal)
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
}

async function lookOnce(
  { worker, actor, checkState, log }: CrosscheckOptions,
  comparison: Comparison,
  signal: AbortSignal,
): Promise<void> {
  const ask = () =>
    worker.transaction(
      actor,
      async (session) => {
        return {
          open: await unwatchedTables(session),
          suspects: await suspectTables(session),
        }
      },
      { readOnly: true },
    )
  const first = await ask()
  if (first.open.length > 0)
    await recordDiscrepancies(
      worker,
      actor,
      first.open.map((each) => unwatched(each)),
    )
  // A TRUNCATE leaves the same traces, and is known by then.
  if (first.suspects.length > 0) await comparison.passed(await committedUpTo(worker, actor), signal)
  const suspects = first.suspects.length > 0 ? (await ask()).suspects : []
  for (const suspect of suspects) {
    log.warn(
      { table: `${suspect.schema}.${suspect.table}`, what: suspect.what },
      'a protected table was changed past the write-ahead log',
    )
    try {
      await checkState(suspect, signal)
    } catch (error) {
      signal.throwIfAborted()
      // Whoever may not read the table leaves it to somebody who may.
      log.warn(
        { err: error, table: `${suspect.schema}.${suspect.table}` },
        'the rows of a table could not be compared with the trail',
      )
      const what = `${suspect.what}; compare its rows: akashi verify --state ${suspect.schema}.${suspect.table}`
      await recordDiscrepancies(worker, actor, [unwatched({ ...suspect, what }, new Date().toISOString())])
    }
    await worker.transaction(actor, (session) => keepTraces(session, suspect))
  }
  await worker.transaction(actor, (session) => keepTraces(session))
}

class Comparison {
  readonly #options: CrosscheckOptions
  readonly #reader: Reader
  readonly #slot: string
  /** Compared, and kept as such in the database. */
  #kept: Lsn
  #keeping = false
  #compared: Lsn
  #keptAt = performance.now()
  #sealed: Lsn
  #sealedAt = performance.now()
  readonly #logins = new Map<number, string>()
  #since = { transactions: 0, changes: 0 }
  #unsealed = { transactions: 0, changes: 0 }

  constructor(options: CrosscheckOptions, progress: Progress) {
    const { worker, actor } = options
    this.#options = options
    this.#reader = new Reader(new Relations(worker, actor), progress.protections)
    this.#slot = progress.slot
    this.#kept = progress.compared
    this.#compared = progress.compared
    this.#sealed = progress.sealed
  }

  async run(url: string, signal: AbortSignal): Promise<void> {
    const ending = new AbortController()
    const replication = await openReplication(url, {
      applicationName: 'akashi crosscheck',
      logical: true,
      signal: AbortSignal.any([signal, ending.signal]),
    })
    const failed = { error: undefined as unknown }
    const stream = replication.logicalStream({ slot: this.#slot, publication: PUBLICATION })
    let reported: Lsn = 0n
    const reporting = setInterval(() => {
      this.#keep()
        .then(() => {
          if (ending.signal.aborted || signal.aborted || reported === this.#compared) return
          reported = this.#compared
          stream.report(this.#compared, this.#kept)
        })
        .catch((error: unknown) => {
          failed.error ??= error
          ending.abort()
        })
    }, REPORT_MS)
    try {
      for await (const message of stream) {
        if (message.kind === 'wal') {
          const ended = await this.#reader.read(decodeMessage(message.data), message.data.length)
          if (ended !== undefined) await this.#compare(ended)
        } else if (!this.#reader.isOpen && message.position > this.#compared) {
          this.#compared = message.position
        }
      }
      throw new AkashiError('unavailable', 'the server ended the stream of the cross-check', {
        hint: 'it is tried again',
      })
    } catch (error) {
      throw failed.error ?? error
    } finally {
      clearInterval(reporting)
      await replication.close()
    }
  }

  /** The log does not tell whose transactions it has; of one that takes a while it is known from when it ran. */
  running(logins: Readonly<Record<string, string>>): void {
    for (const [xid, login] of Object.entries(logins)) this.#logins.set(Number(xid), login)
    for (const xid of this.#logins.keys()) {
      if (this.#logins.size <= MAX_LOGINS) break
      this.#logins.delete(xid)
    }
  }

  /** Resolves when everything before the position is compared. */
  async passed(position: Lsn, signal: AbortSignal): Promise<void> {
    while (this.#compared < position && !signal.aborted) {
      await sleep(REPORT_MS, undefined, { signal }).catch(() => undefined)
    }
    signal.throwIfAborted()
  }

  async #compare({ transaction, end, tooLarge }: Ended): Promise<void> {
    const { worker, actor, log } = this.#options
    const { committed } = transaction
    if (tooLarge !== null) {
      await worker.transaction(actor, (session) =>
        beginGap(session, {
          cause: 'too_large',
          detail: `transaction ${committed.xid} changed too much to be kept: ${tooLarge.join(', ')}`,
          from: committed.commit,
          to: end,
        }),
      )
    } else if (!transaction.isEmpty) {
      const found = await judge(worker, actor, transaction)
      if (found.length > 0) {
        const login = this.#logins.get(committed.xid)
        const recorded = await recordDiscrepancies(
          worker,
          actor,
          login === undefined ? found : found.map((each) => ({ login, ...each })),
        )
        if (recorded > 0)
          log.error(
            { xid: committed.xid, found: recorded, first: found[0]?.detail },
            'the trail and the write-ahead log disagree',
          )
      }
      if (transaction.truncated.length > 0 && !found.some(({ operation }) => operation === 'TRUNCATE')) {
        const oids = transaction.truncated.map(({ oid }) => oid)
        await worker.transaction(actor, (session) => keepTruncated(session, oids))
      }
      if (transaction.changes.length > 0 || transaction.truncated.length > 0) {
        for (const count of [this.#since, this.#unsealed]) {
          count.transactions += 1
          count.changes += transaction.changes.length + transaction.truncated.length
        }
      }
    }
    this.#compared = end
  }

  /** Keeps the position when it is time, and only then may the server forget what was before. */
  async #keep(): Promise<void> {
    const now = performance.now()
    const due = this.#since.transactions > 0 ? KEEP_MS : KEEP_IDLE_MS
    if (this.#keeping || this.#compared === this.#kept || now - this.#keptAt < due) return
    this.#keeping = true
    try {
      const { worker, actor } = this.#options
      const to = this.#compared
      const since = this.#since
      this.#since = { transactions: 0, changes: 0 }
      const sealed =
        this.#unsealed.transactions > 0 && now - this.#sealedAt >= SEAL_MS ? this.#unsealed : null
      if (sealed !== null) this.#unsealed = { transactions: 0, changes: 0 }
      await worker.transaction(actor, async (session) => {
        await keepProgress(session, { to, protections: this.#reader.protections, ...since })
        if (sealed !== null) await sealProgress(session, { from: this.#sealed, to, ...sealed })
      })
      this.#kept = to
      this.#keptAt = now
      if (sealed === null) return
      this.#sealed = to
      this.#sealedAt = now
    } finally {
      this.#keeping = false
    }
  }
}
