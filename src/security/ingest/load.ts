/**
 * Takes parsed events into `akashi_security.security_events`, each exactly once.
 *
 * An event's id follows from the event, so the same event conflicts with itself and is left out; the
 * digest of each batch keeps that true after its partition has moved to the archive. A batch is one
 * transaction: when the process dies, what was committed stays and the rest comes with the next run.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { copyColumns, copyRows, type EventRows, EventRowsBuilder } from './copy.ts'
import type { ParsedBatch, Rejection } from './format.ts'
import { whilePartitionsAreMade } from './partitions.ts'

/** Events of one transaction, and characters of them: whichever is reached first. */
export const LOAD_BATCH_EVENTS = 10_000
const LOAD_BATCH_CHARACTERS = 16_777_216

/** Rejections that a result carries one by one; the rest are counted. */
export const MAX_REJECTIONS_LISTED = 1_000

/** Batches that are stored at once: the second keeps the server busy while the first is committed. */
const BATCHES_UNDER_WAY = 2

const UNIQUE_VIOLATION = '23505'

/** Milliseconds for one statement of a load, which may make partitions for many days. */
const LOAD_TIMEOUT_MS = 300_000

export interface LoadProgress {
  /** Lines read so far. */
  readonly read: number
  readonly accepted: number
  readonly rejected: number
  /** Events that were not there before. */
  readonly stored: number
}

export interface LoadResult {
  /** Lines, or records of a document. */
  readonly read: number
  /** Lines that became at least one event, also when the event was there already. */
  readonly accepted: number
  /** Lines that became none, with the reason, at most MAX_REJECTIONS_LISTED. */
  readonly rejected: readonly Rejection[]
  readonly rejectedTotal: number
  /** Events that this run added. */
  readonly stored: number
  /** Events that were there already. */
  readonly known: number
}

export interface LoadOptions {
  /** Where the events come from, for the record of batches: a file's name, a service. */
  readonly source: string
  readonly format: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
}

/**
 * Loads batches as they come. While some are stored the next is parsed; memory holds those and what the
 * parser has under way. When one fails nothing more is begun, and what was stored meanwhile stays.
 */
export async function loadEvents(
  database: Database,
  actor: Actor,
  batches: AsyncIterable<ParsedBatch>,
  options: LoadOptions,
): Promise<LoadResult> {
  let read = 0
  let accepted = 0
  let rejectedTotal = 0
  let events = 0
  let stored = 0
  const rejected: Rejection[] = []
  let waiting = new EventRowsBuilder()
  const knownDays = new Set<string>()
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []

  const store = async (batch: EventRows) => {
    try {
      await makePartitions(database, actor, batch, knownDays)
      // Read after the wait, not before it: the other batch counts too.
      const added = await storeBatch(database, actor, batch, options)
      stored += added
    } catch (error) {
      failures.push(error)
    }
  }
  const flush = async () => {
    if (waiting.events === 0) return
    const batch = waiting.finish()
    waiting = new EventRowsBuilder()
    events += batch.events
    while (underWay.size >= BATCHES_UNDER_WAY) await Promise.race(underWay)
    if (failures.length > 0) throw failures[0]
    const work: Promise<void> = store(batch).finally(() => underWay.delete(work))
    underWay.add(work)
  }
  try {
    for await (const batch of batches) {
      options.signal?.throwIfAborted()
      read += batch.read
      accepted += batch.accepted
      rejectedTotal += batch.rejected.length
      rejected.push(...batch.rejected.slice(0, MAX_REJECTIONS_LISTED - rejected.length))
      for (const { event } of batch.events) {
        waiting.add(event)
        if (waiting.events >= LOAD_BATCH_EVENTS || waiting.characters >= LOAD_BATCH_CHARACTERS) await flush()
      }
      options.onProgress?.({ read, accepted, rejected: rejectedTotal, stored })
    }
    await flush()
  } finally {
    await Promise.all(underWay)
  }
  if (failures.length > 0) throw failures[0]
  options.onProgress?.({ read, accepted, rejected: rejectedTotal, stored })
  return { read, accepted, rejected, rejectedTotal, stored, known: events - stored }
}

/** Partitions for the days of a batch, in a transaction of their own: their locks are not held while rows load. */
async function makePartitions(
  database: Database,
  actor: Actor,
  batch: EventRows,
  known: Set<string>,
): Promise<void> {
  const missing = batch.days.filter((day) => !known.has(day))
  if (missing.length === 0) return
  await whilePartitionsAreMade(() =>
    database.transaction(actor, (session) =>
      session.query(
        `select akashi_lifecycle.create_partitions('akashi_security.security_events', day, day) from unnest($1::timestamptz[]) day`,
        [missing.map((day) => `${day}T00:00:00Z`)],
      ),
    ),
  )
  for (const day of missing) known.add(day)
}

/** Answers how many events of the batch were new. */
async function storeBatch(
  database: Database,
  actor: Actor,
  batch: EventRows,
  options: LoadOptions,
): Promise<number> {
  const attempt = (onConflict: string) =>
    database.transaction(actor, (session) => insertBatch(session, batch, options, onConflict), {
      timeoutMs: LOAD_TIMEOUT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  try {
    // A batch is nearly always all new, and ON CONFLICT looks before each row: 12.7 µs for one instead of 9.8.
    return await attempt('')
  } catch (error) {
    if (!(error instanceof AkashiError && error.detail['sqlstate'] === UNIQUE_VIOLATION)) throw error
    return await attempt('on conflict (id, created_at) do nothing')
  }
}

async function insertBatch(
  session: Session,
  batch: EventRows,
  options: LoadOptions,
  onConflict: string,
): Promise<number> {
  const { rowCount: fresh } = await session.query(
    `insert into akashi_security.ingest_batches (digest, source, format, events, first_at, last_at)
     values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    [batch.digest, options.source, options.format, batch.events, batch.firstAt, batch.lastAt],
  )
  if (fresh === 0) return 0
  // Without defaults: those of the real table are to be evaluated once, by the INSERT.
  await session.query(
    `create temporary table incoming on commit drop as
     select ${copyColumns} from akashi_security.security_events with no data`,
  )
  await copyRows(session, 'incoming', batch)
  const { rowCount } = await session.query(
    `insert into akashi_security.security_events (${copyColumns})
     select ${copyColumns} from incoming ${onConflict}`,
  )
  return rowCount
}
