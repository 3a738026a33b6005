import type { ClockPart, Comparison, Expression, Field, PatternPart, Test } from './ast.ts'
import { RuleFault } from './fault.ts'
import { ANY, checkRegex, networkPatterns, parsePattern } from './patterns.ts'

/** Resolves the fields of a source. */
export interface Fields {
  /** @throws RuleFault for a field that the source does not have */
  readonly field: (name: string) => Field
  /** Where keywords are searched for. */
  readonly keywords: readonly Field[]
  readonly time: Field
}

type Path = readonly (string | number)[]

/** Maximum values of one detection item. */
const MAX_VALUES = 10_000
const NUMBERS: ReadonlySet<string> = new Set(['lt', 'lte', 'gt', 'gte'])
const CLOCK: ReadonlySet<string> = new Set(['hour', 'weekday', 'holiday'])
const KNOWN = new Set([
  ...['contains', 'startswith', 'endswith', 'all', 're', 'i', 'm', 's', 'cidr', 'exists', 'cased', 'neq'],
  ...['base64', 'base64offset', 'wide', 'utf16', 'utf16le', 'utf16be', 'windash', 'fieldref', 'expand'],
  ...NUMBERS,
  ...CLOCK,
])

/** A selection: a map of fields, a list of maps (any of them), or a list of keywords. */
export function parseSelection(selection: unknown, fields: Fields, path: Path): Expression {
  if (Array.isArray(selection)) {
    if (selection.length === 0) throw new RuleFault('the selection is empty', path)
    return {
      op: 'or',
      of: selection.map((each: unknown, at) =>
        isMap(each) ? parseMap(each, fields, [...path, at]) : keyword(each, [], fields, [...path, at]),
      ),
    }
  }
  if (isMap(selection)) return parseMap(selection, fields, path)
  if (typeof selection === 'string') return keyword(selection, [], fields, path)
  throw new RuleFault('a selection is a map of fields, or a list', path)
}

function parseMap(map: Readonly<Record<string, unknown>>, fields: Fields, path: Path): Expression {
  const items = Object.entries(map)
  if (items.length === 0) throw new RuleFault('the selection is empty', path)
  return { op: 'and', of: items.map(([key, value]) => parseItem(key, value, fields, [...path, key])) }
}

function parseItem(key: string, value: unknown, fields: Fields, path: Path): Expression {
  const [name = '', ...modifiers] = key.split('|')
  const unknown = modifiers.find((modifier) => !KNOWN.has(modifier))
  if (unknown !== undefined) throw new RuleFault(`the modifier ${unknown} is not known`, path)
  if (modifiers.includes('expand')) {
    throw new RuleFault('placeholders are not supported; write the values', path)
  }
  const values: unknown[] = Array.isArray(value) ? value : [value]
  if (values.length === 0) throw new RuleFault('the list is empty', path)
  if (values.length > MAX_VALUES) throw new RuleFault(`a list has at most ${MAX_VALUES} values`, path)
  const combine = modifiers.includes('all') ? 'and' : 'or'
  const one =
    name === ''
      ? (each: unknown) => keyword(each, modifiers, fields, path)
      : testOf(
          at(() => fields.field(name), path),
          modifiers,
          fields,
          path,
        )
  const of = values.flatMap((each) => one(each))
  const expression: Expression = of.length === 1 && of[0] !== undefined ? of[0] : { op: combine, of }
  return modifiers.includes('neq') ? { op: 'not', of: expression } : expression
}

function testOf(
  field: Field,
  modifiers: readonly string[],
  fields: Fields,
  path: Path,
): (value: unknown) => Expression | Expression[] {
  const comparison = modifiers.find((modifier) => NUMBERS.has(modifier)) as Comparison | undefined
  const part = modifiers.find((modifier) => CLOCK.has(modifier)) as ClockPart | undefined
  const test = (each: Test): Expression => ({ op: 'test', field, test: each })
  const cased = modifiers.includes('cased')
  if (part !== undefined) {
    if (field.type !== 'time') throw new RuleFault(`${part} applies only to created_at`, path)
    return (value) =>
      test({ kind: 'clock', part, comparison: comparison ?? 'eq', value: numberOf(value, path) })
  }
  if (field.type === 'time') throw new RuleFault('a time is tested by its hour, weekday or holiday', path)
  if (comparison !== undefined) {
    return (value) => test({ kind: 'number', comparison, value: numberOf(value, path) })
  }
  if (modifiers.includes('exists')) {
    return (value) =>
      value === true || value === 'true'
        ? { op: 'not', of: test({ kind: 'absent' }) }
        : test({ kind: 'absent' })
  }
  if (modifiers.includes('fieldref')) {
    return (value) => test({ kind: 'same', field: at(() => fields.field(textOf(value, path)), path), cased })
  }
  if (modifiers.includes('re')) {
    const insensitive = modifiers.includes('i')
    return (value) =>
      test({ kind: 'regex', source: at(() => checkRegex(textOf(value, path)), path), insensitive })
  }
  if (modifiers.includes('cidr')) {
    return (value) => ({
      op: 'or',
      of: at(() => networkPatterns(textOf(value, path)), path).map((pattern) =>
        test({ kind: 'like', pattern, cased: true }),
      ),
    })
  }
  return (value) => {
    if (value === null || value === undefined) return test({ kind: 'absent' })
    return variants(value, modifiers, path).map((pattern) => test({ kind: 'like', pattern, cased }))
  }
}

function keyword(value: unknown, modifiers: readonly string[], fields: Fields, path: Path): Expression {
  if (modifiers.includes('re')) {
    const source = at(() => checkRegex(textOf(value, path)), path)
    const test: Test = { kind: 'regex', source, insensitive: modifiers.includes('i') }
    return { op: 'or', of: fields.keywords.map((field) => ({ op: 'test', field, test })) }
  }
  const patterns = variants(value, [...modifiers, 'contains'], path)
  return {
    op: 'or',
    of: fields.keywords.flatMap((field) =>
      patterns.map(
        (pattern): Expression => ({
          op: 'test',
          field,
          test: { kind: 'like', pattern, cased: modifiers.includes('cased') },
        }),
      ),
    ),
  }
}

/** The patterns that a value stands for: several with windash and base64offset. */
function variants(value: unknown, modifiers: readonly string[], path: Path): PatternPart[][] {
  let written = [textOf(value, path)]
  let plain = false
  for (const modifier of modifiers) {
    if (modifier === 'windash') written = written.flatMap((text) => dashes(text))
    else if (
      modifier === 'wide' ||
      modifier === 'utf16le' ||
      modifier === 'utf16' ||
      modifier === 'utf16be'
    ) {
      written = written.map((text) => wide(text, modifier))
    } else if (modifier === 'base64') {
      plain = true
      written = written.map((text) => Buffer.from(text, 'latin1').toString('base64'))
    } else if (modifier === 'base64offset') {
      plain = true
      written = written.flatMap((text) => [0, 1, 2].map((offset) => base64At(text, offset)))
    }
  }
  const before = modifiers.includes('contains') || modifiers.includes('endswith')
  const after = modifiers.includes('contains') || modifiers.includes('startswith')
  return written.map((text) => {
    const parts: PatternPart[] = plain ? [text] : parsePattern(text)
    return [...(before ? [ANY] : []), ...parts, ...(after ? [ANY] : [])]
  })
}

function dashes(text: string): string[] {
  return [
    ...new Set(['-', '/', '\u2013', '\u2014', '\u2015'].map((dash) => text.replaceAll(/(?<!\S)[-/]/g, dash))),
  ]
}

/** The bytes in UTF-16, each as one character, so that base64 may follow. */
function wide(text: string, modifier: string): string {
  const bytes = Buffer.from(text, 'utf16le')
  if (modifier === 'utf16be') bytes.swap16()
  return `${modifier === 'utf16' ? '\u00ff\u00fe' : ''}${bytes.toString('latin1')}`
}

/**
 * The base64 of the text after `offset` other bytes, without the characters that depend on neighbouring
 * bytes.
 */
function base64At(text: string, offset: number): string {
  const start = [0, 2, 3][offset] ?? 0
  const encoded = Buffer.from(`${' '.repeat(offset)}${text}`, 'latin1').toString('base64')
  const length = Buffer.byteLength(text, 'latin1') + offset
  const end = [undefined, -3, -2][length % 3]
  return encoded.slice(start, end)
}

function numberOf(value: unknown, path: Path): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number))
    throw new RuleFault('a number is expected', path)
  return number
}

function textOf(value: unknown, path: Path): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value)
  throw new RuleFault('a text or a number is expected', path)
}

/** Adds the location to a fault. */
export function at<T>(work: () => T, path: Path): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof RuleFault && error.path.length === 0) throw new RuleFault(error.message, path)
    throw error
  }
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
