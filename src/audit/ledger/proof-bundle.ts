/** The proof bundle: what `prove` writes and `check` reads, specified in docs/ledger.md. */

import type { ColumnForm } from '@akashi/contract'
import { z } from 'zod'

export const BUNDLE_VERSION = 1

/** RFC 6962 paths are no longer than the tree is high; sizes have 63 bits. */
const MAX_PATH_HASHES = 63
/** Largest position and size have 19 digits. */
const DECIMAL = /^(0|[1-9]\d{0,18})$/
const HASH = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/

export const proofBundle = z.strictObject({
  /** Version of the bundle and of the encoding. */
  version: z.literal(BUNDLE_VERSION),
  log: z.string(),
  /** The columns that are not NULL, as text: see {@link bundleColumnSql}. */
  row: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  /** Index of the entry in the log, a decimal. */
  position: z.string().regex(DECIMAL),
  /** Inclusion proof (RFC 6962, 2.1.1) from the leaf's sibling upwards, each hash in base64. */
  proof: z.array(z.string().regex(HASH)).max(MAX_PATH_HASHES),
  /** The signed checkpoint (C2SP tlog-checkpoint), word for word. */
  checkpoint: z.string(),
})

export type ProofBundle = Readonly<z.output<typeof proofBundle>>

/**
 * How a bundle writes a column: times as ISO 8601 in UTC with six digits of microseconds, bytes as lowercase
 * hexadecimal, arrays as arrays, everything else as PostgreSQL prints it.
 */
export function bundleColumnSql(name: string, form: ColumnForm): string {
  if (form === 'time' || form === 'text[]' || form === 'inet') return `r."${name}"`
  if (form === 'bytes') return `encode(r."${name}", 'hex') as "${name}"`
  return `r."${name}"::text as "${name}"`
}

const exactForms: Partial<Record<ColumnForm, (value: string) => boolean>> = {
  bytes: (value) => /^([0-9a-f]{2})*$/.test(value),
  time: isExactTime,
}

/**
 * Whether a value is written in the one way its form has. The encoding would take other spellings of a time
 * or of bytes for the same, and a bundle must not be changed without a sign.
 */
export function isExact(form: ColumnForm, value: string | readonly string[]): boolean {
  if (form === 'text[]') return typeof value !== 'string'
  return typeof value === 'string' && (exactForms[form]?.(value) ?? true)
}

/** Years beyond 9999 are written as PostgreSQL does, without the sign that ECMAScript asks for. */
function isExactTime(value: string): boolean {
  const [, date = '', clock = ''] = /^(\d{4,6}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{6}Z$/.exec(value) ?? []
  const year = date.length > 10 ? `+${date.padStart(12, '0')}` : date
  const milliseconds = Date.parse(`${year}T${clock}Z`)
  return (
    !Number.isNaN(milliseconds) &&
    new Date(milliseconds).toISOString() === `${year}T${clock}.000Z` &&
    !/^0\d{4}/.test(date)
  )
}
