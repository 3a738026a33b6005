import type { SecurityEvent } from '../event.ts'
import { parseCloudTrailRecord } from './cloudtrail.ts'
import { parseCognitoEvent } from './cognito.ts'
import type {
  IngestFormat,
  LineParser,
  ParsedBatch,
  ParsedEvent,
  QuarantineOptions,
  Rejection,
  Unread,
} from './format.ts'
import { createEventIdentity } from './identity.ts'
import { INGEST_KEY, parseJsonEvent } from './json.ts'
import { parseKeycloakEvent } from './keycloak.ts'
import { createLineReader, type Line, type LineReader } from './lines.ts'
import { parseOcsfEvent } from './ocsf.ts'
import { createPostgresqlParser } from './postgresql/parser.ts'
import { createPostgresqlReader } from './postgresql/reader.ts'
import { createJsonReader } from './records.ts'
import { createSshdParser, MAX_SYSLOG_LINE_BYTES, type SshdOptions } from './sshd/parser.ts'
import { FUTURE_TOLERANCE_MS } from './syslog-year.ts'
import { formatTime } from './time.ts'

interface CommonOptions {
  /**
   * Distinguishes systems that could write identical lines. It is part of the event ids: a file read under
   * another source gives other events. Empty by default, so that a copied or rotated log gives the same ones.
   */
  readonly source?: string
  /** Events before this are rejected. */
  readonly earliest?: Date
  /** Events at or after this are rejected; by default a day after `asOf`. */
  readonly before?: Date
}

export type ParseOptions =
  | (CommonOptions & SshdOptions & { readonly format: 'sshd' })
  | (CommonOptions & {
      readonly format: 'postgresql'
      readonly asOf: Date
      /** What abbreviations of log_timezone mean that are not UTC, GMT, JST or KST. */
      readonly timezone?: string
    })
  | (CommonOptions & { readonly format: Exclude<IngestFormat, 'sshd' | 'postgresql'>; readonly asOf: Date })

export interface EventParser {
  push(chunk: Uint8Array): ParsedBatch
  end(): ParsedBatch
}

/** Lines that are understood, and no events. */
const IGNORED = /^not an event: (?!unknown)/

function readAgain(options: ParseOptions, year: number | null): QuarantineOptions {
  const timezone = 'timezone' in options ? options.timezone : undefined
  return {
    ...(timezone === undefined ? {} : { timezone }),
    ...(year === null ? {} : { year }),
    ...(options.source === undefined ? {} : { system: options.source }),
  }
}

/** Parses bytes into events chunk by chunk in constant memory. The same bytes always give the same events. */
export function createEventParser(options: ParseOptions): EventParser {
  const reader = readerOf(options)
  const sshd = options.format === 'sshd' ? createSshdParser(options) : null
  const parse = sshd?.parse ?? parserOf(options)
  const source = options.source ?? ''
  const identity = createEventIdentity(options.format, source)
  const earliest = options.earliest === undefined ? null : formatTime(options.earliest.getTime())
  const before = formatTime(options.before?.getTime() ?? options.asOf.getTime() + FUTURE_TOLERANCE_MS)
  const origin = source === '' ? { format: options.format } : { format: options.format, source }

  const place = (line: Line): ParsedEvent[] | string => {
    if (line.text === null) return line.problem ?? 'unreadable'
    if (line.text.trim() === '') return 'empty line'
    const readings = parse(line.text)
    if (typeof readings === 'string') return readings
    const events: ParsedEvent[] = []
    for (const { event, id, key } of readings) {
      const { created_at: time } = event
      if (earliest !== null && isBefore(time, earliest)) return `at ${time}, before ${earliest}`
      if (!isBefore(time, before)) return `at ${time}, not before ${before}`
      const ingest = line.repaired
        ? { ...origin, line: line.number, repaired: true }
        : { ...origin, line: line.number }
      const identified: SecurityEvent = {
        ...event,
        id: id ?? identity.identify(time, key, line.text),
        event_details: { ...event.event_details, [INGEST_KEY]: ingest },
      }
      events.push({ line: line.number, event: identified })
    }
    return events
  }

  const batch = (lines: readonly Line[]): ParsedBatch => {
    const events: ParsedEvent[] = []
    const rejected: Rejection[] = []
    const unread: Unread[] = []
    for (const line of lines) {
      const found = place(line)
      if (typeof found === 'string') {
        rejected.push({ line: line.number, reason: found })
        if (line.text !== null && line.text.trim() !== '' && !IGNORED.test(found)) {
          unread.push({
            line: line.number,
            reason: found,
            text: line.text,
            options: readAgain(options, sshd?.year ?? null),
          })
        }
      } else for (const event of found) events.push(event)
    }
    return { read: lines.length, accepted: lines.length - rejected.length, events, rejected, unread }
  }

  return { push: (chunk) => batch(reader.push(chunk)), end: () => batch(reader.end()) }
}

/** Parses a stream: one batch per chunk. */
export async function* parseEvents(
  bytes: AsyncIterable<Uint8Array>,
  options: ParseOptions,
): AsyncGenerator<ParsedBatch, void, undefined> {
  const parser = createEventParser(options)
  for await (const chunk of bytes) yield parser.push(chunk)
  yield parser.end()
}

function readerOf(options: ParseOptions): LineReader {
  if (options.format === 'sshd') return createLineReader(MAX_SYSLOG_LINE_BYTES)
  return options.format === 'postgresql' ? createPostgresqlReader() : createJsonReader()
}

function parserOf(options: ParseOptions): LineParser {
  switch (options.format) {
    case 'sshd':
      return createSshdParser(options).parse
    case 'json':
      return parseJsonEvent
    case 'ocsf':
      return parseOcsfEvent
    case 'cloudtrail':
      return parseCloudTrailRecord
    case 'keycloak':
      return parseKeycloakEvent
    case 'cognito':
      return parseCognitoEvent
    case 'postgresql':
      return createPostgresqlParser(options.timezone ?? null)
  }
}

/** Compares times as `formatTime` and `normaliseTime` write them, by their digits. */
function isBefore(a: string, b: string): boolean {
  return a.slice(0, -1) < b.slice(0, -1)
}
