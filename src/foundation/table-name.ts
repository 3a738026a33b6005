import { AkashiError } from './errors.ts'

export interface TableName {
  readonly schema: string
  readonly table: string
}

const PART = '("(?:[^"]|"")+"|[^".]+)'
const NAME = new RegExp(`^(?:${PART}\\.)?${PART}$`)
/** Maximum length of a name in PostgreSQL, in bytes. */
const MAX_NAME_BYTES = 63

/** Parses `table` or `schema.table`, parts optionally quoted as in SQL; the default schema is `fallback`. */
export function parseTableName(text: string, fallback = 'public'): TableName {
  const [, schema, table] = NAME.exec(text) ?? []
  const found = { schema: schema === undefined ? fallback : unquote(schema), table: unquote(table ?? '') }
  if (
    found.table === '' ||
    [found.schema, found.table].some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)
  ) {
    throw new AkashiError('invalid_input', `${text} is not a valid table name`, {
      hint: 'write it as schema.table, quoted as in SQL if necessary',
    })
  }
  return found
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase()
}

export function quoteName(part: string): string {
  return `"${part.replaceAll('"', '""')}"`
}

export function quoteTable({ schema, table }: TableName): string {
  return `${quoteName(schema)}.${quoteName(table)}`
}

/** For display: quoted only if necessary. */
export function tableText({ schema, table }: TableName): string {
  return [schema, table].map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteName(part))).join('.')
}
