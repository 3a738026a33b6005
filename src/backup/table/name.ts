import { AkashiError } from '../../foundation/index.ts'

export interface TableName {
  readonly schema: string
  readonly name: string
}

const PART = '("(?:[^"]|"")+"|[^".]+)'
const NAME = new RegExp(`^(?:${PART}\\.)?${PART}$`)
/** Bytes that PostgreSQL keeps of a name. */
const MAX_NAME_BYTES = 63

/** `table`, `schema.table` or either quoted as in SQL; without a schema it is `fallback`. */
export function parseTableName(text: string, fallback = 'public'): TableName {
  const [, schema, name] = NAME.exec(text) ?? []
  const found = { schema: schema === undefined ? fallback : unquote(schema), name: unquote(name ?? '') }
  if (
    found.name === '' ||
    [found.schema, found.name].some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)
  ) {
    throw new AkashiError('invalid_input', `${text} is no name of a table`, {
      hint: 'write it as schema.table, quoted as in SQL where it needs to be',
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

export function quoteTable({ schema, name }: TableName): string {
  return `${quoteName(schema)}.${quoteName(name)}`
}

/** For people: quoted only where it needs to be. */
export function tableText({ schema, name }: TableName): string {
  return [schema, name].map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteName(part))).join('.')
}
