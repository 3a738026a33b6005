import type { Comparison, Field, PatternPart } from '../rule/ast.ts'

/** Adds a value to a statement and returns its placeholder. */
export type Bind = (value: string | number) => string

/** The expressions in which the SQL of the two engines differs. */
export interface Dialect {
  readonly name: 'postgresql' | 'duckdb'
  /** The value of a field as text; null for what is absent, null, an object or an array. */
  text(field: Field, bind: Bind): string
  /** With ASCII letters in lower case, and all others as they are. */
  lower(text: string): string
  regex(text: string, source: string, insensitive: boolean, bind: Bind): string
  number(text: string): string
  /** Microseconds since 1970. */
  micros(column: string): string
  readonly comparisons: Readonly<Record<Comparison | 'eq', string>>
}

const NUMBER = '^-?[0-9]{1,15}([.][0-9]{1,6})?$'
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const comparisons = { lt: '<', lte: '<=', gt: '>', gte: '>=', eq: '=' } as const

export const postgresql: Dialect = {
  name: 'postgresql',
  text({ column, type, path }, bind) {
    const name = `r.${column}`
    if (type === 'text') return name
    if (type === 'address') return `host(${name})`
    if (type !== 'json') return `${name}::text`
    const keys = path.map((key) => `${bind(key)}::text`).join(', ')
    const value = path.length === 0 ? name : `(${name} #> array[${keys}])`
    return `(select case when jsonb_typeof(j.v) in ('string', 'number', 'boolean') then j.v #>> '{}' end from (select ${value} as v) j)`
  },
  lower: (text) => `lower(${text} collate "C")`,
  regex: (text, source, insensitive, bind) =>
    `${text} ~ ${bind(`${insensitive ? '(?i)' : ''}${source.replaceAll('\\b', '\\y').replaceAll('\\B', '\\Y')}`)}`,
  number: (text) => `case when ${text} ~ '${NUMBER}' then ${text}::double precision end`,
  micros: (column) => `(extract(epoch from r.${column}) * 1000000)::bigint`,
  comparisons,
}

export const duckdb: Dialect = {
  name: 'duckdb',
  text({ column, type, path }, bind) {
    const name = `r.${column}`
    if (type === 'text') return name
    if (type === 'address') return `split_part(${name}, '/', 1)`
    if (type !== 'json') return `cast(${name} as varchar)`
    const place = bind(`$${path.map((key) => `."${key}"`).join('')}`)
    return `case when json_type(${name}, ${place}) not in ('OBJECT', 'ARRAY', 'NULL') then json_extract_string(${name}, ${place}) end`
  },
  lower: (text) => `translate(${text}, '${UPPER}', '${UPPER.toLowerCase()}')`,
  regex: (text, source, insensitive, bind) =>
    `regexp_matches(${text}, ${bind(source)}, '${insensitive ? 'is' : 's'}')`,
  number: (text) => `case when regexp_matches(${text}, '${NUMBER}') then cast(${text} as double) end`,
  micros: (column) => `epoch_us(r.${column})`,
  comparisons,
}

/** The pattern of LIKE, with `!` before what is plain. */
export function likePattern(parts: readonly PatternPart[]): string {
  return parts
    .map((part) => {
      if (typeof part === 'string') return part.replaceAll(/[!%_]/g, '!$&')
      return part.wildcard === 'any' ? '%' : '_'
    })
    .join('')
}

/** ASCII letters in lower case. */
export function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
