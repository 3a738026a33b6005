import { textAt } from '../fields.ts'
import { parseJsonObject } from '../json-text.ts'
import { csvFields } from './reader.ts'

/** One record of a server's log. Empty fields are null. */
export interface LogRecord {
  readonly time: string
  readonly user: string | null
  readonly database: string | null
  /** Address, or `[local]`. */
  readonly host: string | null
  readonly session: string | null
  readonly line: string | null
  readonly severity: string
  readonly sqlState: string | null
  readonly message: string
  readonly detail: string | null
  readonly statement: string | null
  readonly application: string | null
  readonly backend: string | null
}

/** Columns of a csvlog (PostgreSQL documentation, 19.8.4), since version 13. */
const COLUMNS = {
  time: 0,
  user: 1,
  database: 2,
  connection: 4,
  session: 5,
  line: 6,
  severity: 11,
  sqlState: 12,
  message: 13,
  detail: 14,
  statement: 19,
  application: 22,
  backend: 23,
} as const
const LEAST_COLUMNS = 23

/** Returns the record, or why it is not one. */
export function readRecord(text: string): LogRecord | string {
  return text.startsWith('{') ? fromJson(text) : fromCsv(text)
}

function fromJson(text: string): LogRecord | string {
  const json = parseJsonObject(text)
  if (typeof json === 'string') return json
  const [time, severity] = [textAt(json, 'timestamp'), textAt(json, 'error_severity')]
  if (time === null || severity === null)
    return 'not a record of a jsonlog: timestamp or error_severity is missing'
  return {
    time,
    severity,
    user: textAt(json, 'user'),
    database: textAt(json, 'dbname'),
    host: textAt(json, 'remote_host'),
    session: textAt(json, 'session_id'),
    line: textAt(json, 'line_num'),
    sqlState: textAt(json, 'state_code'),
    message: textAt(json, 'message') ?? '',
    detail: textAt(json, 'detail'),
    statement: textAt(json, 'statement'),
    application: textAt(json, 'application_name'),
    backend: textAt(json, 'backend_type'),
  }
}

function fromCsv(text: string): LogRecord | string {
  const fields = csvFields(text)
  if (fields === null || fields.length < LEAST_COLUMNS) return 'not a record of a csvlog of PostgreSQL'
  const field = (name: keyof typeof COLUMNS) => {
    const value = fields[COLUMNS[name]]
    return value === undefined || value === '' ? null : value
  }
  // The address of IPv6 contains colons; the port follows the last one.
  const host = field('connection')?.replace(/:\d+$/, '') ?? null
  return {
    time: field('time') ?? '',
    severity: field('severity') ?? '',
    user: field('user'),
    database: field('database'),
    host,
    session: field('session'),
    line: field('line'),
    sqlState: field('sqlState'),
    message: field('message') ?? '',
    detail: field('detail'),
    statement: field('statement'),
    application: field('application'),
    backend: field('backend'),
  }
}
