/**
 * Compares the write-ahead log with the trail until it is stopped: reads the slot, checks each transaction
 * and stores findings.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Actor, type Database, formatLsn, type Lsn, type Session } from '../../postgres/index.ts'
import { Comparison, type ComparisonParts } from './comparison.ts'
import { recordDiscrepancies } from './found.ts'
import {
  beginGap,
  beginProgress,
  committedUpTo,
  endGap,
  type GapCause,
  type Progress,
  readCompared,
  readProgress,
} from './progress.ts'
import {
  type CrosscheckSlot,
  createCrosscheckSlot,
  crosscheckObstacle,
  dropCrosscheckSlot,
  readCrosscheckSlot,
} from './slot.ts'
import { keepTraces, passedTables, type Suspect, unwatched } from './traces.ts'

/** Milliseconds between two looks at the catalog and at the settings while the log grows. */
const LOOK_MS = 3_000
/**
 * The same while the stream says nothing, without which no transaction has written: a server that has more to decode than
 * it can says nothing either.
 */
const LOOK_QUIET_MS = 10_000
export interface CrosscheckSource {
  /** Of a login that may replicate, directly to the server. */
  readonly url: string
  /** Of the same login. */
  readonly database: Pick<Database, 'direct'>
}

export interface CrosscheckOptions extends ComparisonParts {
  readonly source: CrosscheckSource
  readonly signal: AbortSignal
  /** Compares the rows of a table with the trail, and keeps what differs. */
  readonly checkState: (table: Pick<Suspect, 'schema' | 'table'>, signal: AbortSignal) => Promise<unknown>
}

/**
 * Runs until the signal is aborted, the server ends it, or it is switched off; the next call continues with
 * the rest. One at a time: the slot has one reader.
 */
export async function crosscheck(options: CrosscheckOptions): Promise<void> {
  const { source } = options
  const begun = await begin(options)
  // It may have been stopped meanwhile, which is recorded once.
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
async function begin({ source, worker, keyring, actor, log }: CrosscheckOptions): Promise<Progress | null> {
  const progress = await worker.transaction(actor, (session) => readProgress(session, keyring))
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
  const reason = lostBecause(progress, slot, here)
  if (progress !== null && slot !== null && reason === undefined) return progress
  if (slot !== null) await dropCrosscheckSlot(source.database)
  const made = await createCrosscheckSlot(source.database)
  return await worker.transaction(actor, async (session) => {
    const ended = await endGap(session, made.confirmed)
    if (!ended && reason !== undefined) {
      // A position that somebody else may have written tells nothing.
      const known = progress?.signed === true ? progress.compared : null
      log.error(
        {
          from: known === null ? 'unknown' : formatLsn(known),
          to: formatLsn(made.confirmed),
          reason: reason.detail,
        },
        'changes were not compared with the trail',
      )
      await beginGap(session, { ...reason, from: known, to: made.confirmed })
    }
    return await beginProgress(session, keyring, made.name, made.confirmed)
  })
}

/**
 * Gives up the WAL that waits to be compared, even while it is being read: a gap until the cross-check
 * restarts.
 */
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
    const from = await readCompared(session)
    await beginGap(session, { cause, detail, from })
  })
  await dropCrosscheckSlot(source, { force: true })
}

/**
 * Repairs the publication. If it was wrong, the slot is dropped, because it could not send changes from that
 * time; the cross-check creates a new one, and the range is a gap.
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

/** Why the slot does not go on where the comparison ended; undefined if it does, or if there never was one. */
function lostBecause(
  progress: Progress | null,
  slot: CrosscheckSlot | null,
  here: { readonly system: string; readonly timeline: number | null },
): { readonly cause: GapCause; readonly detail: string } | undefined {
  if (progress === null) {
    return slot === null
      ? undefined
      : { cause: 'state_altered', detail: 'what the cross-check kept of its progress is gone' }
  }
  if (progress.systemIdentifier !== here.system || progress.timeline !== here.timeline) {
    return { cause: 'moved', detail: 'the database is in another cluster, or on another timeline' }
  }
  if (!progress.signed) {
    return {
      cause: 'state_altered',
      detail: 'what the cross-check kept of its progress was changed by somebody else',
    }
  }
  if (slot === null) return { cause: 'slot_lost', detail: 'the replication slot was dropped' }
  if (slot.lost)
    return {
      cause: 'slot_lost',
      detail: 'the server gave up the WAL of the replication slot, or the slot was replaced',
    }
  if (slot.confirmed > progress.compared) {
    return { cause: 'slot_lost', detail: 'the replication slot was recreated or advanced by somebody else' }
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

/** Whether the cross-check is enabled, and which transactions are running. */
async function standing(session: Session): Promise<Standing> {
  const { rows } = await session.query<Standing>(
    `select akashi_lifecycle.setting('crosscheck.enabled') = 'true'::jsonb as enabled,
            pg_current_snapshot()::text as ended,
            (select coalesce(jsonb_object_agg(backend_xid::text, usename), '{}') from pg_stat_activity
             where backend_xid is not null and datname = current_database()) as logins`,
  )
  return rows[0] ?? { enabled: false, ended: '', logins: {} }
}

/** Checks what the log does not contain, and whether the cross-check is still enabled. */
async function look(options: CrosscheckOptions, comparison: Comparison, cut: AbortController): Promise<void> {
  const { worker, log } = options
  while (!cut.signal.aborted) {
    try {
      // Single statements, not those of a transaction.
      await worker.direct((session) => lookRepeatedly(session, options, comparison, cut), {
        signal: cut.signal,
      })
    } catch (error) {
      if (!cut.signal.aborted) log.warn({ err: error }, 'the cross-check could not read the catalog')
    }
    await pause(cut.signal)
  }
}

/** The server is asked only after its log has grown, which the stream tells unasked, or now and then. */
async function lookRepeatedly(
  session: Session,
  options: CrosscheckOptions,
  comparison: Comparison,
  cut: AbortController,
): Promise<void> {
  let written: Lsn | undefined
  let grew = false
  let lookedAt = 0
  // While no transaction ends, the catalog stays as it was when it was looked at last.
  let seen: string | undefined
  while (!cut.signal.aborted) {
    // Once more afterwards: a commit is in the log a moment before others see it.
    const grewBefore = grew
    grew = written !== comparison.written
    if (grew || grewBefore || performance.now() - lookedAt >= LOOK_QUIET_MS) {
      written = comparison.written
      lookedAt = performance.now()
      const { enabled, ended, logins } = await standing(session)
      comparison.running(logins)
      if (!enabled) cut.abort()
      else if (ended !== seen || comparison.hasUnchecked)
        await lookOnce(session, options, comparison, cut.signal)
      seen = ended
    }
    await pause(cut.signal)
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
}

async function lookOnce(
  session: Session,
  { worker, actor, checkState, log }: CrosscheckOptions,
  comparison: Comparison,
  signal: AbortSignal,
): Promise<void> {
  const first = await passedTables(session)
  if (first.open.length > 0)
    await recordDiscrepancies(
      worker,
      actor,
      first.open.map((each) => unwatched(each)),
    )
  // A TRUNCATE leaves the same traces, and is known by then.
  const some = comparison.suspects(first).length > 0
  if (some) await comparison.passed(await committedUpTo(worker, actor), signal)
  const suspects = some ? comparison.suspects(await passedTables(session)) : []
  for (const suspect of suspects) {
    log.warn(
      { table: `${suspect.schema}.${suspect.table}`, what: suspect.what },
      'a protected table was changed without a trace in the write-ahead log',
    )
    try {
      await checkState(suspect, signal)
    } catch (error) {
      signal.throwIfAborted()
      // A login that may not read the table leaves the comparison to one that may.
      log.warn(
        { err: error, table: `${suspect.schema}.${suspect.table}` },
        'the rows of a table could not be compared with the trail',
      )
      const what = `${suspect.what}; compare its rows: akashi verify --state ${suspect.schema}.${suspect.table}`
      await recordDiscrepancies(worker, actor, [unwatched({ ...suspect, what }, new Date().toISOString())])
    }
    comparison.kept(await keepTraces(session, suspect))
    comparison.checked(suspect)
  }
  comparison.kept(await keepTraces(session))
}
