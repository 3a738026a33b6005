import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Session } from '../../postgres/index.ts'
import type { SecurityEvent } from '../event.ts'

type Column = keyof SecurityEvent

const DATE_CHARACTERS = 10

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
] as const satisfies readonly Column[]

export const copyColumns: string = columns.join(', ')

/** Chunk size of writes; parsing continues between two writes. */
const CHUNK_CHARACTERS = 1_048_576

/** Events waiting to be stored, as rows in COPY text format: thousands of objects would burden the garbage collector. */
export interface EventRows {
  readonly chunks: readonly Buffer[]
  readonly events: number
  /** SHA-256 of the ids in their order. */
  readonly digest: Buffer
  /** Times of the first and the last event, RFC 3339 in UTC. */
  readonly firstAt: string
  readonly lastAt: string
  /** UTC days, such as `2016-12-09`. */
  readonly days: readonly string[]
}

/** Builds the rows of a batch. */
export class EventRowsBuilder {
  events = 0
  /** Characters so far; equals bytes for ASCII. */
  characters = 0
  #chunk = ''
  #ids = ''
  #firstAt = ''
  #lastAt = ''
  #lastDay = ''
  readonly #chunks: Buffer[] = []
  readonly #digest = createHash('sha256')
  readonly #days = new Set<string>()

  /** Days so far. */
  get days(): number {
    return this.#days.size
  }

  add(event: SecurityEvent): void {
    let row = ''
    for (const column of columns) row += `${field(event[column])}\t`
    this.#chunk += `${row.slice(0, -1)}\n`
    this.characters += row.length
    this.#ids += event.id
    this.events += 1
    const { created_at: time } = event
    if (this.#firstAt === '' || time < this.#firstAt) this.#firstAt = time
    if (time > this.#lastAt) this.#lastAt = time
    if (!time.startsWith(this.#lastDay) || this.#lastDay === '') {
      this.#lastDay = time.slice(0, DATE_CHARACTERS)
      this.#days.add(this.#lastDay)
    }
    if (this.#chunk.length >= CHUNK_CHARACTERS) this.#cut()
  }

  finish(): EventRows {
    this.#cut()
    return {
      chunks: this.#chunks,
      events: this.events,
      digest: this.#digest.digest(),
      firstAt: this.#firstAt,
      lastAt: this.#lastAt,
      days: [...this.#days],
    }
  }

  #cut(): void {
    if (this.#chunk === '') return
    this.#chunks.push(Buffer.from(this.#chunk))
    this.#digest.update(this.#ids)
    this.#chunk = ''
    this.#ids = ''
  }
}

/** Copies rows into a table with {@link copyColumns}. */
export async function copyRows(session: Session, table: string, { chunks }: EventRows): Promise<void> {
  const copy = session.copyFrom(`copy ${table} (${copyColumns}) from stdin`)
  const finished = once(copy, 'finish')
  // The write below fails with the same error; the handler prevents an unhandled rejection.
  finished.catch(() => undefined)
  for (const chunk of chunks) {
    if (!copy.write(chunk)) await Promise.race([once(copy, 'drain'), finished])
  }
  copy.end()
  await finished
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function field(value: SecurityEvent[Column]): string {
  if (value === null) return '\\N'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // Few values contain any of them, and testing is much cheaper than replacing.
  if (!/[\\\t\n\r]/.test(text)) return text
  return text.replaceAll(/[\\\t\n\r]/g, (character) => escapes[character] ?? character)
}
