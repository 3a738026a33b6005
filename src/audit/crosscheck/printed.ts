/**
 * The JSON text by which the trail shows a value, made from the text of its type's output function. It follows
 * PostgreSQL's to_jsonb() for every type, so that no code of the type's owner has to run.
 */
import { parseArray } from '../../postgres/index.ts'
import { objectText } from './json-text.ts'

export interface TypeFacts {
  readonly oid: number
  /** pg_type.typtype */
  readonly kind: string
  /** Of a domain: its type; 0 otherwise. */
  readonly base: number
  /** Of an array: its elements' type; 0 otherwise. */
  readonly element: number
  readonly delimiter: string
  /** Of a composite type. */
  readonly fields: readonly { readonly name: string; readonly type: number }[]
  /** A cast to json determines the result of to_jsonb(). */
  readonly hasCast: boolean
}

/** The JSON text of a value; undefined if it cannot be derived from its text. */
export type Print = (text: string) => string | undefined

const string: Print = (text) => JSON.stringify(text)
const same: Print = (text) => text
const number: Print = (text) => (/[NI]/.test(text) ? JSON.stringify(text) : text)
const timestamp: Print = (text) => JSON.stringify(text.replace(' ', 'T'))

/** PostgreSQL's built-in types whose JSON is not their text as a string; their OIDs never change. */
const BUILT_IN: ReadonlyMap<number, Print> = new Map<number, Print>([
  [16, (text) => (text === 't' ? 'true' : 'false')],
  [20, same],
  [21, same],
  [23, same],
  [700, float],
  [701, float],
  [1700, number],
  [1114, (text) => (text.endsWith('infinity') ? string(text) : timestamp(text))],
  [
    1184,
    (text) =>
      text.endsWith('infinity') ? string(text) : timestamp(text.replace(/\+00(?= BC$|$)/, '+00:00')),
  ],
  [3802, same],
])
const JSON_TYPE = 114
/** The first OID of types that are not built in. */
const FIRST_OWN_OID = 16384

/** A float as the numeric that it becomes: without an exponent and without a negative zero. */
function float(text: string): string {
  if (/[NI]/.test(text)) return JSON.stringify(text)
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text) ?? []
  const shift = Number(exponent)
  if (/^0*$/.test(whole + fraction)) return fraction === '' ? '0' : `0.${fraction}`
  if (shift === 0) return text
  const digits = whole + fraction
  const point = whole.length + shift
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  if (point >= digits.length) return `${sign}${digits}${'0'.repeat(point - digits.length)}`
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`
}

/** How values of the column are shown. A type that holds json is shown as its text. */
export function printOf(type: number, types: ReadonlyMap<number, TypeFacts>): Print {
  return holdsJson(type, types, new Set()) ? string : inner(type, types)
}

/**
 * How a statement reads a column so that to_jsonb() shows its values as the trail does and runs nobody's
 * cast: unchanged, or as their text; null if neither works.
 */
export function readAs(type: number, types: ReadonlyMap<number, TypeFacts>): 'value' | 'text' | null {
  if (holdsJson(type, types, new Set())) return 'text'
  const facts = types.get(type)
  if (facts?.kind === 'd') return readAs(facts.base, types)
  if (type < FIRST_OWN_OID) return 'value'
  return facts === undefined || facts.hasCast || facts.element !== 0 || facts.kind === 'c' ? null : 'text'
}

function inner(type: number, types: ReadonlyMap<number, TypeFacts>): Print {
  const builtIn = BUILT_IN.get(type)
  if (builtIn !== undefined) return builtIn
  const facts = types.get(type)
  if (facts === undefined) return type < FIRST_OWN_OID ? string : () => undefined
  if (facts.kind === 'd') return inner(facts.base, types)
  if (facts.hasCast) return () => undefined
  if (facts.element !== 0) return array(facts, inner(facts.element, types))
  if (facts.kind === 'c') {
    return composite(facts.fields.map(({ name, type: of }) => ({ name, print: inner(of, types) })))
  }
  return string
}

function holdsJson(type: number, types: ReadonlyMap<number, TypeFacts>, seen: Set<number>): boolean {
  if (type === JSON_TYPE) return true
  const facts = types.get(type)
  if (facts === undefined || seen.has(type)) return false
  seen.add(type)
  return [facts.base, facts.element, ...facts.fields.map((field) => field.type)].some(
    (part) => part !== 0 && holdsJson(part, types, seen),
  )
}

function array({ delimiter }: TypeFacts, print: Print): Print {
  return (text) => {
    if (delimiter !== ',' || !/^[{[]/.test(text)) return undefined
    let known = true
    const show = (value: unknown): string => {
      if (value === null) return 'null'
      if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`
      return String(value)
    }
    const start = text.startsWith('[') ? text.slice(text.indexOf('=') + 1) : text
    const elements = parseArray(start, (element) => {
      const shown = print(element)
      known &&= shown !== undefined
      return shown ?? ''
    })
    return known ? show(elements) : undefined
  }
}

function composite(fields: readonly { readonly name: string; readonly print: Print }[]): Print {
  return (text) => {
    const values = recordFields(text)
    if (values.length !== fields.length) return undefined
    const entries: [string, string][] = []
    for (const [place, { name, print }] of fields.entries()) {
      const value = values[place] ?? null
      const shown = value === null ? 'null' : print(value)
      if (shown === undefined) return undefined
      entries.push([name, shown])
    }
    return objectText(entries)
  }
}

/** The fields of the text of a row, `(1,,"a ""b""")`. */
function recordFields(text: string): (string | null)[] {
  const found: (string | null)[] = []
  let field: string | null = null
  let quoted = false
  for (let at = 1; at < text.length; at += 1) {
    const character = text[at] ?? ''
    if (quoted) {
      if (character === '\\' || (character === '"' && text[at + 1] === '"')) {
        at += 1
        field = (field ?? '') + (text[at] ?? '')
      } else if (character === '"') quoted = false
      else field = (field ?? '') + character
    } else if (character === '"') {
      quoted = true
      field ??= ''
    } else if (character === ',' || (character === ')' && at === text.length - 1)) {
      found.push(field)
      field = null
    } else if (character === '\\') {
      at += 1
      field = (field ?? '') + (text[at] ?? '')
    } else field = (field ?? '') + character
  }
  return found
}
