import { storable } from './text.ts'

/** How many brackets may stand inside one another; PostgreSQL's own limit is the depth of its stack. */
export const MAX_JSON_DEPTH = 64
/** Digits of a number that jsonb keeps exactly, far below its limit of 16,383 after the point. */
const MAX_NUMBER_CHARACTERS = 1000

/** Something in the text may be a number that a double cannot hold, or hold as it is written. */
const LARGE_NUMBER = /[:[,]\s*-?(?:\d[\d.]{15}|[\d.]+[eE])/
/** Something in the text may be a character that PostgreSQL cannot store. */
const BAD_CHARACTER = /\\u(?:0000|[dD][89a-fA-F])/

export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The object in `text`, ready for PostgreSQL's jsonb: NUL becomes U+2400, half surrogates U+FFFD, and
 * numbers keep every digit (as JSON.rawJSON) where a double would not. A string says why there is none.
 */
export function parseJsonObject(text: string): JsonObject | string {
  let value: unknown
  try {
    value = LARGE_NUMBER.test(text) ? JSON.parse(text, exactNumber) : JSON.parse(text)
  } catch {
    return 'not valid JSON'
  }
  if (!isJsonObject(value)) return 'not a JSON object'
  if (!withinDepth(value, MAX_JSON_DEPTH)) return `nested deeper than ${MAX_JSON_DEPTH} levels`
  return BAD_CHARACTER.test(text) ? cleanObject(value) : value
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)
}

function withinDepth(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (left === 0) return false
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !withinDepth(inner, left - 1)) return false
  }
  return true
}

function exactNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  const { source } = context
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value
  const tiny = value === 0 && /[1-9]/.test(source.split(/[eE]/)[0] ?? '')
  // No number of jsonb either: kept as the text that it was.
  if (!Number.isFinite(value) || tiny || source.length > MAX_NUMBER_CHARACTERS) return source
  return JSON.rawJSON(source)
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return storable(value)
  if (Array.isArray(value)) return value.map(clean)
  return isJsonObject(value) ? cleanObject(value) : value
}

function cleanObject(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storable(key), clean(inner)]))
}

declare global {
  interface JSON {
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown
    rawJSON(text: string): unknown
    isRawJSON(value: unknown): value is { readonly rawJSON: string }
  }
}
