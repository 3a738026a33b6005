import { isJsonObject } from './json-text.ts'

/** Access to fields of foreign JSON: a value of an unexpected type counts as absent. */

export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const key of path) {
    if (Array.isArray(found)) found = found[Number(key)]
    else if (isJsonObject(found) && Object.hasOwn(found, key)) found = found[key]
    else return undefined
  }
  return found
}

/** A non-empty string, or a number as text. */
export function textAt(value: unknown, ...path: readonly string[]): string | null {
  const found = valueAt(value, ...path)
  if (typeof found === 'string') return found === '' ? null : found
  if (typeof found === 'number') return String(found)
  return JSON.isRawJSON(found) ? found.rawJSON : null
}

export function integerAt(value: unknown, ...path: readonly string[]): number | null {
  const found = valueAt(value, ...path)
  const number = JSON.isRawJSON(found) ? Number(found.rawJSON) : found
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : null
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function uuidAt(value: unknown, ...path: readonly string[]): string | null {
  const found = textAt(value, ...path)
  return found !== null && UUID.test(found) ? found.toLowerCase() : null
}
