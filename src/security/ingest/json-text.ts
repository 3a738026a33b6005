import { storable } from './text.ts'

/** Maximum nesting depth; PostgreSQL's own limit is its stack depth. */
export const MAX_JSON_DEPTH = 64
/** Longest number kept as such, far below the limit of 16,383 digits after the point in jsonb. */
const MAX_NUMBER_CHARACTERS = 1000

/** The text may contain a number that a double cannot represent exactly. */
const LARGE_NUMBER = /[:[,]\s*-?(?:\d[\d.]{15}|[\d.]+[eE])/
/** The text may contain a character that PostgreSQL cannot store. */
const BAD_CHARACTER = /\\u(?:0000|[dD][89a-fA-F])/

export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Parses an object for PostgreSQL's jsonb: NUL becomes U+2400, lone surrogates U+FFFD, and numbers that a double
 * would round keep every digit (as JSON.rawJSON). Returns a string with the reason if there is none.
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
  // Not a jsonb number either: keep the text.
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
