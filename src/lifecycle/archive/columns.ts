/**
 * Converts PostgreSQL columns to Parquet columns and back. Every value leaves PostgreSQL as text (COPY CSV); a form
 * defines how DuckDB parses that text and how it writes exactly the same text again. A type without a form is stored
 * as PostgreSQL's text.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { identifier } from './quote.ts'

export interface ArchivedColumn {
  readonly name: string
  /** PostgreSQL's name of the type, e.g. `timestamp with time zone`. */
  readonly type: string
  /** DuckDB's type in the Parquet file. */
  readonly parquet: string
}

/** The position in the log, stored with rows of tables that have a log. */
export const POSITION_COLUMN = 'akashi_position'

interface Form {
  readonly parquet: string
  /** Text → value, in DuckDB. */
  readonly read: (text: string) => string
  /** Value → the same text, in DuckDB. */
  readonly write: (value: string) => string
}

const text: Form = { parquet: 'VARCHAR', read: (t) => t, write: (v) => v }

function cast(parquet: string): Form {
  return { parquet, read: (t) => `${t}::${parquet}`, write: (v) => `${v}::VARCHAR` }
}

/** DuckDB writes `(BC)` after the date, PostgreSQL ` BC` at the end. */
function time(parquet: string, offset: string): Form {
  const suffix = offset === '' ? '' : '\\+00'
  return {
    parquet,
    read: (t) =>
      `case when ${t} like '% BC' then regexp_replace(${t}, '^(\\S+) (\\S+) BC$', '\\1 (BC) \\2')::${parquet} else ${t}::${parquet} end`,
    write: (v) =>
      `case when ${v} < ${parquet} '0001-01-01 00:00:00${offset}' then regexp_replace(${v}::VARCHAR, '^(\\S+) \\(BC\\) (\\S+)${suffix}$', '\\1 \\2${offset} BC') else ${v}::VARCHAR end`,
  }
}

const forms: Readonly<Record<string, Form>> = {
  boolean: {
    parquet: 'BOOLEAN',
    read: (t) => `${t} = 't'`,
    write: (v) => `case ${v} when true then 't' when false then 'f' end`,
  },
  smallint: cast('SMALLINT'),
  integer: cast('INTEGER'),
  bigint: cast('BIGINT'),
  oid: cast('BIGINT'),
  xid8: cast('BIGINT'),
  bytea: {
    parquet: 'BLOB',
    read: (t) => `from_hex(substr(${t}, 3))`,
    write: (v) => `'\\x' || lower(hex(${v}))`,
  },
  date: {
    parquet: 'DATE',
    read: (t) => `replace(${t}, ' BC', ' (BC)')::DATE`,
    write: (v) => `replace(${v}::VARCHAR, ' (BC)', ' BC')`,
  },
  'timestamp without time zone': time('TIMESTAMP', ''),
  'timestamp with time zone': time('TIMESTAMPTZ', '+00'),
  'text[]': {
    parquet: 'VARCHAR[]',
    read: (t) => `from_json(${t}, '["VARCHAR"]')`,
    write: (v) => lowercaseEscapes(`to_json(${v})::VARCHAR`),
  },
}

/** PostgreSQL escapes control characters in JSON with lowercase digits, DuckDB with uppercase ones. */
function lowercaseEscapes(json: string): string {
  const lettered = ['0b', '0e', '0f', '1a', '1b', '1c', '1d', '1e', '1f', '7f']
  const escaped = lettered.reduce(
    (sql, digits) => `replace(${sql}, '\\u00${digits.toUpperCase()}', '\\u00${digits}')`,
    // After an escaped backslash, a u does not start an escape.
    `replace(${json}, '\\\\', chr(1))`,
  )
  return `case when contains(${json}, '\\u00') then replace(${escaped}, chr(1), '\\\\') else ${json} end`
}

const MAX_DECIMAL_DIGITS = 38

function formOf(type: string): Form {
  const numeric = /^numeric\((\d+),(-?\d+)\)$/.exec(type)
  if (numeric !== null) {
    const [precision, scale] = [Number(numeric[1]), Number(numeric[2])]
    if (precision <= MAX_DECIMAL_DIGITS && scale >= 0 && scale <= precision) {
      return cast(`DECIMAL(${precision},${scale})`)
    }
  }
  return forms[type] ?? text
}

/** The column as COPY selects it. Arrays with several dimensions or another lower bound are not plain lists. */
export function copyExpression({ name, type }: ArchivedColumn, alias = 'r'): string {
  const column = `${alias}.${identifier(name)}`
  return type === 'text[]'
    ? `case when coalesce(array_ndims(${column}), 1) = 1 and coalesce(array_lower(${column}, 1), 1) = 1
         then to_json(${column})::text else '!' || ${column}::text end`
    : column
}

/** COPY's text → the value in the Parquet file, in DuckDB. */
export function readExpression({ type }: ArchivedColumn, textName: string): string {
  return formOf(type).read(textName)
}

/** The value in the Parquet file → COPY's text, in DuckDB. */
export function writeExpression({ name, type }: ArchivedColumn): string {
  return formOf(type).write(identifier(name))
}

/** COPY's text → an expression for INSERT. */
export function restoreExpression({ name, type }: ArchivedColumn): string {
  const column = identifier(name)
  return type === 'text[]'
    ? `case when ${column} is not null then array(select * from json_array_elements_text(${column}::json)) end`
    : `${column}::${type}`
}

const columnsSql = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as declared,
         format_type(coalesce(nullif(t.typbasetype, 0), t.oid), case when t.typbasetype = 0 then a.atttypmod else t.typtypmod end) as type
  from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
  where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
  order by a.attnum`

/** The columns of a table in order. @throws unsupported when their names cannot be used in one file */
export async function readColumns(session: Session, relation: string): Promise<ArchivedColumn[]> {
  const { rows } = await session.query<{ name: string; type: string }>(columnsSql, [relation])
  const seen = new Set([POSITION_COLUMN])
  for (const { name } of rows) {
    const folded = name.toLowerCase()
    if (seen.has(folded)) {
      throw new AkashiError(
        'unsupported',
        `column ${name} of ${relation} cannot be archived: its name conflicts with another`,
        {
          hint: `rename it: column names must differ in more than case, and ${POSITION_COLUMN} is reserved`,
        },
      )
    }
    seen.add(folded)
  }
  return rows.map(({ name, type }) => ({ name, type: bare(type), parquet: formOf(bare(type)).parquet }))
}

/** The type without a time precision, which does not change a value's text. */
function bare(type: string): string {
  return type.replace(/^timestamp\(\d\)/, 'timestamp')
}
