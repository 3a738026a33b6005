/** Values that a JSON Schema accepts. */
import { randomUUID } from 'node:crypto'

export interface Schema {
  readonly type?: string
  readonly format?: string
  readonly pattern?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
  readonly default?: unknown
}

/** By the name of the member, where the schema does not say enough. */
export type Known = Readonly<Record<string, () => unknown>>

/**
 * @param whole also the members that may be left out
 */
export function sampleOf(schema: Schema, known: Known, whole: boolean, name = ''): unknown {
  const given = known[name]
  if (given !== undefined && schema.type !== 'object') {
    return schema.type === 'array' ? [given()] : given()
  }
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  const [first] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []
  if (first !== undefined) return sampleOf(first, known, whole, name)
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
          whole || schema.required?.includes(key) === true ? [[key, sampleOf(inner, known, whole, key)]] : [],
        ),
      )
    case 'array':
      return schema.items === undefined ? [] : [sampleOf(schema.items, known, whole, name)]
    case 'integer':
    case 'number':
      return Math.max(1, schema.minimum ?? 1)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return textOf(schema)
  }
}

function textOf({ format, pattern, minLength = 0 }: Schema): string {
  if (format === 'date-time') return new Date().toISOString()
  if (format === 'uri') return 'https://example.com/a.png'
  if (format === 'uuid' || pattern?.includes('[0-9a-fA-F]{8}') === true) return randomUUID()
  return 'abc'.padEnd(minLength, 'x')
}

/** The variants of a document at its top: each with its own members. */
export function variantsOf(schema: Schema): readonly Schema[] {
  return schema.anyOf ?? schema.oneOf ?? [schema]
}

/** Where something can be replaced: the keys from the top of a document down to a value. */
export function placesIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...path, key]))]
}

/** A copy of the document with another value at this place. */
export function replaced(document: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  const copy: Record<string, unknown> | unknown[] = Array.isArray(document)
    ? [...document]
    : { ...(document as object) }
  Reflect.set(copy, key, replaced(Reflect.get(copy, key), rest, value))
  return copy
}
