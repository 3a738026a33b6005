/**
 * Takes parsed events into `security.security_events`, each exactly once.
 *
 * An event's id follows from the event, so the same event conflicts with itself and is left out; the
 * digest of each batch keeps that true after its partition has moved to the archive. A batch is one
 * transaction: when the process dies, what was committed stays and the rest comes with the next run.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { anonymous, type Database, type Session } from '../../postgres/index.ts'
import type { SecurityEvent } from '../event.ts'
import type { ParsedBatch, Rejection } from './format.ts'
import { whilePartitionsAreMade } from './partitions.ts'

/** Events of one transaction. */
export const LOAD_BATCH_EVENTS = 10_000

/** Rejections that a result carries one by one; the rest are counted. */
export const MAX_REJECTIONS_LISTED = 1_000

/** Milliseconds for one statement of a load, which may make partitions for many days. */
const LOAD_TIMEOUT_MS = 300_000

/** Each write is a message to the server and its own system call: rows go together. */
const COPY_CHUNK_CHARACTERS = 65_536

const columns = [
  'id',
  'created_at',
  'event_type',
  'event_category',
  'severity',
  'source_service',
  'description',
  'user_id',
  'user_name',
  'external_user_id',
  'session_id',
  'source_ip',
  'user_agent',
  'resource_type',
  'resource_id',
  'action_performed',
  'result',
  'tenant_id',
  'tenant_name',
  'client_id',
  'client_name',
  'request_id',
  'trace_id',
  'ocsf_class_uid',
  'event_details',
] as const satisfies readonly (keyof SecurityEvent)[]

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

/** Loads batches as they come; memory holds one batch and what the parser has under way. */
export async function loadEvents(
  database: Database,
  batches: AsyncIterable<ParsedBatch>,
  options: LoadOptions,
): Promise<LoadResult> {
  let read = 0
  let accepted = 0
  let rejectedTotal = 0
  let events = 0
  let stored = 0
  const rejected: Rejection[] = []
  let waiting: SecurityEvent[] = []
  const flush = async () => {
    if (waiting.length === 0) return
    const batch = waiting
    waiting = []
    events += batch.length
    await makePartitions(database, batch)
    stored += await database.transaction(anonymous, (session) => storeBatch(session, batch, options), {
      timeoutMs: LOAD_TIMEOUT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  }
  for await (const batch of batches) {
    options.signal?.throwIfAborted()
    read += batch.read
    accepted += batch.accepted
    rejectedTotal += batch.rejected.length
    rejected.push(...batch.rejected.slice(0, MAX_REJECTIONS_LISTED - rejected.length))
    for (const { event } of batch.events) {
      waiting.push(event)
      if (waiting.length >= LOAD_BATCH_EVENTS) await flush()
    }
    options.onProgress?.({ read, accepted, rejected: rejectedTotal, stored })
  }
  await flush()
  options.onProgress?.({ read, accepted, rejected: rejectedTotal, stored })
  return { read, accepted, rejected, rejectedTotal, stored, known: events - stored }
}

/** Partitions for the days of a batch, in a transaction of their own: their locks are not held while rows load. */
async function makePartitions(database: Database, batch: readonly SecurityEvent[]): Promise<void> {
  const days = [...new Set(batch.map((event) => `${event.created_at.slice(0, 10)}T00:00:00Z`))]
  await whilePartitionsAreMade(() =>
    database.transaction(anonymous, (session) =>
      session.query(
        `select lifecycle.create_partitions('security.security_events', day, day) from unnest($1::timestamptz[]) day`,
        [days],
      ),
    ),
  )
}

/** Answers how many events of the batch were new. */
async function storeBatch(
  session: Session,
  batch: readonly SecurityEvent[],
  options: LoadOptions,
): Promise<number> {
  const digest = createHash('sha256')
  for (const event of batch) digest.update(event.id)
  const times = batch.map((event) => event.created_at).sort()
  const { rowCount: fresh } = await session.query(
    `insert into security.ingest_batches (digest, source, format, events, first_at, last_at)
     values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    [digest.digest(), options.source, options.format, batch.length, times[0], times.at(-1)],
  )
  if (fresh === 0) return 0
  // Without defaults: those of the real table are to be evaluated once, by the INSERT.
  await session.query(
    `create temporary table incoming on commit drop as
     select ${columns.join(', ')} from security.security_events with no data`,
  )
  await writeCopy(session.copyFrom(`copy incoming (${columns.join(', ')}) from stdin`), batch)
  const { rowCount } = await session.query(
    `insert into security.security_events (${columns.join(', ')})
     select ${columns.join(', ')} from incoming on conflict (id, created_at) do nothing`,
  )
  return rowCount
}

/** COPY's text format, with its back-pressure. */
async function writeCopy(copy: Writable, batch: readonly SecurityEvent[]): Promise<void> {
  const finished = once(copy, 'finish')
  // The write below fails with the same error; without a handler this promise would be a second one.
  finished.catch(() => undefined)
  let chunk = ''
  for (const event of batch) {
    chunk += `${columns.map((column) => field(event[column])).join('\t')}\n`
    if (chunk.length < COPY_CHUNK_CHARACTERS) continue
    if (!copy.write(chunk)) await Promise.race([once(copy, 'drain'), finished])
    chunk = ''
  }
  if (chunk !== '') copy.write(chunk)
  copy.end()
  await finished
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function field(value: unknown): string {
  if (value === null || value === undefined) return '\\N'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // Few values hold any of them, and looking is much cheaper than replacing.
  if (!/[\\\t\n\r]/.test(text)) return text
  return text.replaceAll(/[\\\t\n\r]/g, (character) => escapes[character] ?? character)
}
