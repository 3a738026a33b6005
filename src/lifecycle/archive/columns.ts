/**
 * Converts PostgreSQL columns to Parquet columns and back. Every value leaves PostgreSQL as text (COPY CSV); a form
 * defines how DuckDB parses that text and how it writes exactly the same text again. A type without a form is stored
 * as PostgreSQL's text.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { identifier } from './quote.ts'

/** A column as a manifest describes it. */
export interface ArchivedColumn {
  readonly name: string
  /** PostgreSQL's name of the type, of a domain that of its base, e.g. `timestamp with time zone`. */
  readonly type: string
  /** DuckDB's type in the Parquet file. */
  readonly parquet: string
  /** Number in the table, which a rename does not change. */
  readonly number: number
  /** The same in the partition, which keeps it once it is detached. */
  readonly partitionNumber: number
  /** Expression of a generated column: its values are not written back. */
  readonly generated: string | null
}

/** A column as a table has it now. */
export interface TableColumn {
  readonly name: string
  readonly type: string
  readonly parquet: string
  readonly number: number
  readonly generated: string | null
  /** The type as it was declared, with its length or the name of its domain. */
  readonly declared: string
  readonly collated: boolean
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

/**
 * A value as COPY selects it. An array of more dimensions or another lower bound is not a list of its elements.
 *
 * @param value an expression of the type
 */
export function copyExpression(value: string, type: string): string {
  return type === 'text[]'
    ? `case when coalesce(array_ndims(${value}), 1) = 1 and coalesce(array_lower(${value}, 1), 1) = 1
         then to_json(${value})::text else '!' || ${value}::text end`
    : value
}

/** The text that COPY gave → the value in the Parquet file, in DuckDB. */
export function readExpression({ type }: Pick<TableColumn, 'type'>, textName: string): string {
  return formOf(type).read(textName)
}

/** The value in the Parquet file → the text that COPY gave, in DuckDB. */
export function writeExpression({ name, type }: Pick<TableColumn, 'name' | 'type'>): string {
  return formOf(type).write(identifier(name))
}

/** The text that COPY gave → a value of the type, in PostgreSQL. Only arrays are not their own text. */
export function restoreExpression(text: string, type: string): string {
  return type === 'text[]'
    ? `case when ${text} is not null then array(select * from json_array_elements_text(${text}::json)) end`
    : `${text}::${type}`
}

const columnsSql = `
  select a.attname as name, a.attnum::integer as number, format_type(a.atttypid, a.atttypmod) as declared,
         base.type, a.attcollation <> 0 as collated,
         case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end as generated
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
  cross join lateral (
    with recursive step (type, modifier, base, base_modifier) as (
      select t.oid, a.atttypmod, t.typbasetype, t.typtypmod from pg_catalog.pg_type t where t.oid = a.atttypid
      union all
      select t.oid, s.base_modifier, t.typbasetype, t.typtypmod from step s join pg_catalog.pg_type t on t.oid = s.base
    )
    select format_type(s.type, s.modifier) as type from step s where s.base = 0
  ) base
  where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
  order by a.attnum`

/** The columns of a table in its order; `unsupported` when their names cannot stand in one file. */
export async function readColumns(session: Session, relation: string): Promise<TableColumn[]> {
  const { rows } = await session.query<Omit<TableColumn, 'parquet'>>(columnsSql, [relation])
  const seen = new Set([POSITION_COLUMN])
  for (const { name } of rows) {
    const folded = name.toLowerCase()
    if (seen.has(folded)) {
      throw new AkashiError(
        'unsupported',
        `column ${name} of ${relation} cannot be archived: its name conflicts with another`,
        {
          hint: `rename it: names in a Parquet file must differ in more than case, and ${POSITION_COLUMN} is reserved`,
        },
      )
    }
    seen.add(folded)
  }
  return rows.map((row) => ({ ...row, type: bare(row.type), parquet: formOf(bare(row.type)).parquet }))
}

/** The type without a time precision, which does not change a value's text. */
function bare(type: string): string {
  return type.replace(/^timestamp\(\d\)/, 'timestamp')
}
