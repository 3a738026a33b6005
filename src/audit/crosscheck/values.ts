/** A row as the write-ahead log or a query gives it, beside the values that the trail shows of it. */
import { createHash } from 'node:crypto'
import { members } from './json-text.ts'
import type { Tuple } from './pgoutput.ts'
import type { Protection } from './protections.ts'
import type { Column, Relation } from './relations.ts'

/** Bytes above which the trail names a record by the digest of its key: akashi_audit.record_key(). */
const MAX_KEY_BYTES = 2_000
/** Bytes of JSON above which a column of a row with so many is a digest in the trail: akashi_audit.long_columns(). */
const LONG_COLUMN_BYTES = 16_384
const LONG_ROW_BYTES = 33_554_432
/** Bytes of JSON that a character takes at most: \u0001. */
const JSON_BYTES_PER_CHARACTER = 6
const DIGEST = /^\{"sha256": "[0-9a-f]{64}"\}$/

/**
 * The record's key as in the trail; null if the tuple does not contain it. `keyOnly`: the tuple has only the
 * replica identity.
 */
export function recordKey(
  relation: Relation,
  { key }: Protection,
  tuple: Tuple,
  keyOnly = false,
): string | null {
  const shown: string[] = []
  for (const name of key) {
    const place = relation.places.get(name)
    const column = place === undefined ? undefined : relation.columns[place]
    const value = place === undefined ? undefined : tuple[place]
    if (column === undefined || value === undefined || value === null || (keyOnly && !column.key)) return null
    shown.push(column.print(value) ?? JSON.stringify(value))
  }
  const [first = ''] = shown
  const text =
    shown.length > 1 ? `[${shown.join(', ')}]` : first.startsWith('"') ? String(JSON.parse(first)) : first
  return recordName(text)
}

/** The name of a record by the text of its key. */
export function recordName(text: string): string {
  return Buffer.byteLength(text) > MAX_KEY_BYTES
    ? `sha256:${createHash('sha256').update(text).digest('hex')}`
    : text
}

/**
 * The columns whose values are not those that the trail shows. Columns that the log does not contain
 * (generated ones) or that did not change are assumed equal; for a digest only the form can be compared.
 */
export function differing(
  relation: Relation,
  protection: Protection,
  tuple: Tuple,
  shown: ReadonlyMap<string, string>,
  options: { readonly ignored?: boolean; readonly added?: boolean } = {},
): string[] {
  const found: string[] = []
  for (const [place, column] of relation.columns.entries()) {
    const value = tuple[place]
    if (value === undefined || protection.omitted.includes(column.name)) continue
    if (options.ignored === true && protection.ignored.includes(column.name)) continue
    const text = shown.get(column.name)
    if (text === undefined && options.added === true) continue
    const digest = protection.digested.includes(column.name) || mayBeDigest(value, tuple)
    if (!same(column, value, text, digest)) found.push(column.name)
  }
  return found
}

function mayBeDigest(value: string | null, tuple: Tuple): boolean {
  if (value === null || value.length * JSON_BYTES_PER_CHARACTER <= LONG_COLUMN_BYTES) return false
  // Long values that did not change are not in the tuple.
  if (tuple.includes(undefined)) return true
  const characters = tuple.reduce((sum, each) => sum + (each?.length ?? 0), 0)
  return characters * JSON_BYTES_PER_CHARACTER > LONG_ROW_BYTES
}

function same(column: Column, value: string | null, text: string | undefined, digest: boolean): boolean {
  if (text === undefined) return false
  if (value === null) return text === 'null'
  const printed = column.print(value)
  if (printed === undefined || printed === text) return true
  return digest && DIGEST.test(text)
}

/**
 * The columns in which two rows of a table differ, by name; a column that one of them does not have counts as
 * equal.
 */
export function changedColumns(
  [before, beforeTuple]: readonly [Relation, Tuple],
  [after, afterTuple]: readonly [Relation, Tuple],
  { ignored }: Protection,
): string[] {
  const found: string[] = []
  for (const [place, { name, print }] of after.columns.entries()) {
    const was = before.places.get(name)
    const value = afterTuple[place]
    if (was === undefined || value === undefined || ignored.includes(name)) continue
    const old = beforeTuple[was]
    if (old === undefined || old === value) continue
    // Values that the trail shows alike count as equal: NULL and the null of jsonb, 0 and -0.
    const [shown, now] = [old, value].map((text) => (text === null ? 'null' : print(text)))
    if (shown === undefined || shown !== now) found.push(name)
  }
  return found
}

/** The members of a jsonb value's text. */
export function shownValues(text: string | null): ReadonlyMap<string, string> {
  return (text === null ? null : members(text)) ?? new Map()
}
