/** The proof bundle as docs/ledger.md specifies it, and the canonical encoding of its row. */
import { type ColumnForm, logColumns } from '@akashi/contract/log-columns'
import { utf8 } from './bytes.ts'

export type LogName = 'audit_logs' | 'security_events' | 'login_attempts'

export interface Bundle {
  readonly log: LogName
  readonly row: Readonly<Record<string, string | readonly string[]>>
  /** A decimal. */
  readonly position: string
  /** Hashes in base64, from the leaf's sibling upwards. */
  readonly proof: readonly string[]
  readonly checkpoint: string
}

const VERSION = 1
/** Sizes have 63 bits, and a path is no longer than the tree is high. */
const MAX_PATH_HASHES = 63
export const DECIMAL = /^(0|[1-9]\d{0,18})$/
export const HASH = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/
const MEMBERS = ['checkpoint', 'log', 'position', 'proof', 'row', 'version']

/** What is wrong with a file, in the words of the specification. */
export class NoBundle extends Error {
  override readonly name = 'NoBundle'
}

/**
 * The bundle in the text of a file.
 *
 * @throws NoBundle for whatever is not exactly one
 */
export function parseBundle(text: string): Bundle {
  const value = parsed(text)
  if (!isObject(value)) throw new NoBundle('not a JSON object')
  const members = Object.keys(value).sort()
  if (members.join() !== MEMBERS.join()) throw new NoBundle(`its members are ${members.join(', ')}`)
  const { version, log, row, position, proof, checkpoint } = value
  if (version !== VERSION) throw new NoBundle('not of version 1')
  if (!isLog(log)) throw new NoBundle('of an unknown log')
  if (typeof position !== 'string' || !DECIMAL.test(position)) throw new NoBundle('position is not a decimal')
  if (!isPath(proof)) throw new NoBundle('proof is not a list of hashes')
  if (typeof checkpoint !== 'string') throw new NoBundle('checkpoint is not a text')
  return { log, row: parseRow(log, row), position, proof, checkpoint }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new NoBundle('not JSON')
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isLog(value: unknown): value is LogName {
  return typeof value === 'string' && Object.hasOwn(logColumns, value)
}

function isPath(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_PATH_HASHES &&
    value.every((hash) => typeof hash === 'string' && HASH.test(hash))
  )
}

/** @throws NoBundle for a row that is not written as a bundle writes it */
export function parseRow(log: LogName, row: unknown): Bundle['row'] {
  if (!isObject(row)) throw new NoBundle('row is not an object')
  const columns: Readonly<Record<string, ColumnForm>> = logColumns[log]
  const checked: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(row)) {
    const form = Object.hasOwn(columns, name) ? columns[name] : undefined
    if (form === undefined) throw new NoBundle(`column ${name} is not part of entries`)
    if (!isExact(form, value)) throw new NoBundle(`column ${name} is not in the format of a bundle`)
    checked[name] = value
  }
  return checked
}

/** Whether a value is written in the one way its form has, so that no change of it goes unnoticed. */
function isExact(form: ColumnForm, value: unknown): value is string | readonly string[] {
  if (form === 'text[]') return Array.isArray(value) && value.every((each) => typeof each === 'string')
  if (typeof value !== 'string') return false
  if (form === 'bytes') return /^([0-9a-f]{2})*$/.test(value)
  return form !== 'time' || isExactTime(value)
}

const TIME = /^(\d{4,6}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.(\d{6})Z$/

function isExactTime(value: string): boolean {
  const [, date = '', clock = ''] = TIME.exec(value) ?? []
  const seconds = secondsOf(date, clock)
  const milliseconds = Date.parse(seconds)
  return (
    !Number.isNaN(milliseconds) &&
    new Date(milliseconds).toISOString() === seconds.replace('Z', '.000Z') &&
    !/^0\d{4}/.test(date)
  )
}

/** Years beyond 9999 are written without the sign that ECMAScript asks for. */
function secondsOf(date: string, clock: string): string {
  const year = date.length > 'yyyy-mm-dd'.length ? `+${date.padStart('yyyyyy-mm-dd'.length, '0')}` : date
  return `${year}T${clock}Z`
}

const sortedColumns = new Map(
  Object.entries(logColumns).map(([log, columns]) => [
    log,
    Object.entries<ColumnForm>(columns).sort(([one], [other]) => (one < other ? -1 : 1)),
  ]),
)

/** The bytes whose SHA-256 is the entry of the row. */
export function encodingOf({ log, row }: Pick<Bundle, 'log' | 'row'>): string {
  let text = `akashi/${log}/${VERSION}\n`
  for (const [name, form] of sortedColumns.get(log) ?? []) {
    const value = row[name]
    if (value === undefined) continue
    const encoded = encodedValue(form, value)
    text += `${name}:${octetsOf(encoded)}:${encoded}\n`
  }
  return text
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
const ASCII = /^[\x00-\x7f]*$/

function octetsOf(text: string): number {
  return ASCII.test(text) ? text.length : utf8(text).length
}

function encodedValue(form: ColumnForm, value: string | readonly string[]): string {
  if (typeof value !== 'string') return value.map((each) => `${octetsOf(each)}:${each}`).join('')
  return form === 'time' ? microsecondsOf(value) : value
}

const MICROSECONDS_A_MILLISECOND = 1_000n

function microsecondsOf(value: string): string {
  const [, date = '', clock = '', fraction = ''] = TIME.exec(value) ?? []
  return (
    BigInt(Date.parse(secondsOf(date, clock))) * MICROSECONDS_A_MILLISECOND +
    BigInt(fraction)
  ).toString()
}
