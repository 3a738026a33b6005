/**
 * The canonical encoding of a row (docs/ledger.md, version 1): a header line, then for every column that
 * is not NULL, in ascending order of the names' bytes,
 *
 *     name ':' octets ':' value '\n'
 *
 * where `octets` is the length of the value in UTF-8 bytes. An entry is the SHA-256 of these bytes.
 * It is implemented three times: in TypeScript, in the SQL of PostgreSQL and in that of DuckDB.
 */

import { createHash } from 'node:crypto'
import type { ColumnForm } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { LogDefinition } from './logs.ts'

/**
 * A row as text, one value per column in PostgreSQL's output form; null and absent are the same. An array is a list of
 * texts, or its printed text when it has several dimensions, other bounds or NULLs.
 */
export type RowText = Readonly<Record<string, string | readonly (string | null)[] | null | undefined>>

/** Marks the encoding of an array that is not a plain list, so that it differs from that of every list. */
const NO_LIST = '!'
const MICROSECONDS_PER_MILLISECOND = 1000n

function columnNames(log: LogDefinition): string[] {
  return Object.keys(log.columns).sort()
}

function header(log: LogDefinition): string {
  return `akashi/${log.log}/${log.version}\n`
}

/** The bytes whose SHA-256 is the row's entry. */
export function encodeRow(log: LogDefinition, row: RowText): Buffer {
  let text = header(log)
  for (const name of columnNames(log)) {
    const value = row[name]
    if (value === null || value === undefined) continue
    const form = log.columns[name] ?? 'text'
    const encoded = encodeValue(form, value, name)
    text += `${name}:${Buffer.byteLength(encoded)}:${encoded}\n`
  }
  return Buffer.from(text)
}

/** SHA-256 of {@link encodeRow}, 32 bytes. */
export function entryHash(log: LogDefinition, row: RowText): Buffer {
  return createHash('sha256').update(encodeRow(log, row)).digest()
}

function encodeValue(form: ColumnForm, value: string | readonly (string | null)[], name: string): string {
  if (form === 'text[]') {
    if (typeof value === 'string') return `${NO_LIST}${value}`
    return value
      .map((element) => (element === null ? NO_LIST : `${Buffer.byteLength(element)}:${element}`))
      .join('')
  }
  if (typeof value !== 'string') throw new AkashiError('internal', `column ${name} is not an array`)
  if (form === 'time') return epochMicroseconds(value)
  if (form === 'bytes') return value.replace(/^\\x/, '')
  return value
}

/** `2026-11-21 05:01:17.402691+00` or ISO 8601 in UTC → microseconds since 1970 as a decimal. */
function epochMicroseconds(value: string): string {
  const match = /^(\d{4,6}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00(?::?00)?|Z)$/.exec(value)
  if (match === null) {
    throw new AkashiError('invalid_input', `${value} is not a timestamp in UTC`, {
      hint: 'read the row with timezone set to UTC and datestyle to ISO',
    })
  }
  const [, date = '', time = '', fraction = ''] = match
  const year = date.length > 10 ? `+${date.padStart(12, '0')}` : date
  const milliseconds = Date.parse(`${year}T${time}Z`)
  return (BigInt(milliseconds) * MICROSECONDS_PER_MILLISECOND + BigInt(fraction.padEnd(6, '0'))).toString()
}

/** Elements of an array up to which it is encoded without a subquery, which is slower and forbids parallel plans. */
const SHORT_ARRAY_ELEMENTS = 16

/** Whether the array has few elements; NULL for NULL. */
function shortArray(column: string): string {
  return `(cardinality(${column}) = 0 or (array_upper(${column}, 1) <= ${SHORT_ARRAY_ELEMENTS} and ${isList(column)}))`
}

/** Whether the array has one dimension, starts at 1 and contains no NULL, as the form `text[]` requires. */
function isList(column: string): string {
  return `array_lower(${column}, 1) = 1 and array_ndims(${column}) = 1 and array_position(${column}, null) is null`
}

function unrolled(column: string): string {
  const elements = Array.from({ length: SHORT_ARRAY_ELEMENTS }, (_, i) => `${column}[${i + 1}]`)
  return `concat(${elements.map((element) => `octet_length(${element}) || ':' || ${element}`).join(', ')})`
}

function aggregated(column: string): string {
  return `case when ${isList(column)} then (select string_agg(octet_length(e) || ':' || e, '' order by n) from unnest(${column}) with ordinality as a (e, n)) when ${column} is not null then concat('${NO_LIST}', ${column}) end`
}

/** One expression of PostgreSQL's SQL per form, giving the value as text, NULL for NULL. */
const postgresForms: Readonly<Record<ColumnForm, (column: string) => string>> = {
  text: (column) => `${column}::text`,
  integer: (column) => `${column}::text`,
  boolean: (column) => `${column}::text`,
  uuid: (column) => `${column}::text`,
  // The cast from inet to text always includes the netmask; the output form omits that of a single host.
  inet: (column) => `case when ${column} is not null then concat(${column}) end`,
  json: (column) => `${column}::text`,
  bytes: (column) => `encode(${column}, 'hex')`,
  time: (column) => `((extract(epoch from ${column}) * 1000000)::bigint)::text`,
  'text[]': (column) =>
    `case when ${shortArray(column)} then ${unrolled(column)} else ${aggregated(column)} end`,
}

/** One expression of DuckDB's SQL per form, over the columns that the archive's Parquet files have. */
const duckdbForms: Readonly<Record<ColumnForm, (column: string) => string>> = {
  text: (column) => `${column}::varchar`,
  integer: (column) => `${column}::varchar`,
  boolean: (column) => `${column}::varchar`,
  uuid: (column) => `${column}::varchar`,
  inet: (column) => `${column}::varchar`,
  json: (column) => `${column}::varchar`,
  bytes: (column) => `lower(hex(${column}))`,
  time: (column) => `epoch_us(${column})::varchar`,
  'text[]': (column) =>
    `case when ${column} is not null then array_to_string(list_transform(${column}, e -> coalesce(strlen(e)::varchar || ':' || e, '${NO_LIST}')), '') end`,
}

/**
 * At the end of a subquery it keeps the planner from flattening it. The number is quoted because PostgreSQL treats
 * a bare `offset 0` as a limit, which forbids parallel plans.
 */
export const OPTIMIZER_FENCE = "offset '0'"

export interface EntrySql {
  /** Select list that computes each column's text once: `… as t0, … as t1, …`. */
  readonly texts: string
  /** Expression over those texts: the entry hash as bytea (PostgreSQL) or lowercase hex (DuckDB). */
  readonly hash: string
}

/**
 * The entry hash as PostgreSQL's SQL. Use it as
 * `select <hash> from (select <columns>, <texts> from <table> r ${OPTIMIZER_FENCE}) t`: if the planner flattened
 * the subquery, every value would be converted twice.
 *
 * @param arrays `any` for every row; `short` only for rows that satisfy {@link shortArraysSql}, allows parallel plans
 */
export function postgresEntrySql(
  log: LogDefinition,
  { alias = 'r', arrays = 'any' }: { readonly alias?: string; readonly arrays?: 'any' | 'short' } = {},
): EntrySql {
  const names = columnNames(log)
  const texts = names.map((name, i) => {
    const form = log.columns[name] ?? 'text'
    const column = `${alias}."${name}"`
    const text =
      form === 'text[]' && arrays === 'short'
        ? `case when ${column} is not null then ${unrolled(column)} end`
        : postgresForms[form](column)
    return `${text} as t${i}`
  })
  const parts = names.map((name, i) => `E'\\n${name}:' || octet_length(t${i}) || ':' || t${i}`)
  return {
    texts: texts.join(', '),
    hash: `sha256(convert_to(concat('akashi/${log.log}/${log.version}', ${parts.join(', ')}, E'\\n'), 'UTF8'))`,
  }
}

/** Condition, never NULL, for rows whose arrays are all short; null for a log without arrays. */
export function shortArraysSql(log: LogDefinition, alias = 'r'): string | null {
  const arrays = columnNames(log).filter((name) => log.columns[name] === 'text[]')
  const conditions = arrays.map((name) => `coalesce(${shortArray(`${alias}."${name}"`)}, true)`)
  return conditions.length === 0 ? null : conditions.join(' and ')
}

/** The entry hash as DuckDB's SQL, lowercase hex. */
export function duckdbEntrySql(log: LogDefinition, alias = 'r'): EntrySql {
  const names = columnNames(log)
  const texts = names.map(
    (name, i) => `${duckdbForms[log.columns[name] ?? 'text'](`${alias}."${name}"`)} as t${i}`,
  )
  const parts = names.map((name, i) => `chr(10) || '${name}:' || strlen(t${i})::varchar || ':' || t${i}`)
  return {
    texts: texts.join(', '),
    hash: `sha256(concat('akashi/${log.log}/${log.version}', ${parts.join(', ')}, chr(10)))`,
  }
}
