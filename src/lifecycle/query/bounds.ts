/**
 * Which times a statement can find rows of, as far as its WHERE says so beyond doubt: comparisons of created_at
 * (or of year, month, day) with constants that every row of the result must meet. Anything else is no bound.
 */
import { type Block, isNode, type Node, type Statement, textOf } from './tree.ts'

/** Microseconds since 1970: `from` inclusive, `to` exclusive; undefined means no bound. */
export interface Span {
  readonly from: bigint | undefined
  readonly to: bigint | undefined
}

export const always: Span = { from: undefined, to: undefined }

/** Evaluates constant expressions to microseconds since 1970; null if one has no such value. */
export type Evaluate = (expressions: readonly unknown[]) => Promise<readonly (bigint | null)[]>

/** Bounds that depend on the current time are widened by a day, since they are evaluated before the query runs. */
const SLACK_MICROS = 86_400_000_000n

interface Condition {
  readonly operator: 'from' | 'after' | 'to' | 'upto'
  readonly expression: Node
}

interface Leaf {
  readonly schema: string
  readonly name: string
  readonly alias: string
}

/** One of Akashi's tables in FROM. */
interface OwnLeaf extends Leaf {
  /** Columns of the table itself that have the name of a part of the date: they say nothing about created_at. */
  readonly ownDateParts: readonly string[]
}

/** Spans by table; a table that is named in several places has the span that covers all of them. */
export async function spansOf(
  statement: Statement,
  isOurs: (schema: string, name: string) => string | undefined,
  ownDateParts: (table: string) => readonly string[],
  evaluate: Evaluate,
): Promise<ReadonlyMap<string, Span>> {
  const found = new Map<string, Span[]>()
  for (const block of statement.blocks) {
    if (block.sampled || block.where === undefined) continue
    const leaves = leavesOf(block.from).flatMap((leaf) => {
      const table = statement.local.has(leaf.name) ? undefined : isOurs(leaf.schema, leaf.name)
      return table === undefined ? [] : [{ ...leaf, table, ownDateParts: ownDateParts(table) }]
    })
    for (const leaf of leaves) {
      const span = await spanOf(block, leaf, leaves.length === 1, evaluate)
      found.set(leaf.table, [...(found.get(leaf.table) ?? []), span])
    }
  }
  const spans = new Map<string, Span>()
  const named = new Map<string, number>()
  for (const { schema, name } of statement.tables) {
    const table = isOurs(schema, name)
    if (table !== undefined) named.set(table, (named.get(table) ?? 0) + 1)
  }
  for (const [table, times] of named) {
    const own = found.get(table) ?? []
    spans.set(table, own.length === times ? own.reduce(cover) : always)
  }
  return spans
}

function cover(a: Span, b: Span): Span {
  return {
    from: a.from === undefined || b.from === undefined ? undefined : least(a.from, b.from),
    to: a.to === undefined || b.to === undefined ? undefined : greatest(a.to, b.to),
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function greatest(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function meet(a: Span, b: Span): Span {
  return {
    from: a.from === undefined ? b.from : b.from === undefined || a.from > b.from ? a.from : b.from,
    to: a.to === undefined ? b.to : b.to === undefined || a.to < b.to ? a.to : b.to,
  }
}

/** Tables of FROM whose rows WHERE filters: inner joins only, since others return rows that have no partner. */
function leavesOf(from: Node): Leaf[] {
  const type = textOf(from, 'type')
  if (type === 'BASE_TABLE') {
    const renamed = Array.isArray(from['column_name_alias']) && from['column_name_alias'].length > 0
    if (renamed || isNode(from['sample'])) return []
    const name = textOf(from, 'table_name').toLowerCase()
    const alias = textOf(from, 'alias').toLowerCase()
    return [{ schema: textOf(from, 'schema_name').toLowerCase(), name, alias: alias === '' ? name : alias }]
  }
  const plain =
    ['REGULAR', 'CROSS'].includes(textOf(from, 'ref_type')) && textOf(from, 'join_type') === 'INNER'
  if (type !== 'JOIN' || !plain || isNode(from['sample'])) return []
  const { left, right } = from
  return [...(isNode(left) ? leavesOf(left) : []), ...(isNode(right) ? leavesOf(right) : [])]
}

async function spanOf(block: Block, leaf: OwnLeaf, alone: boolean, evaluate: Evaluate): Promise<Span> {
  const conditions: Condition[] = []
  const parts = new Map<string, string>()
  let span = always
  for (const conjunct of conjunctsOf(block.where)) {
    for (const { column, operator, value } of comparisonsOf(conjunct, leaf, alone)) {
      if (column === 'created_at') {
        conditions.push(...conditionsOf(operator, value))
      } else {
        const digits = digitsOf(value)
        if (digits === undefined) continue
        if (operator === 'COMPARE_EQUAL') parts.set(column, digits.text)
        if (column === 'year') span = meet(span, yearSpan(operator, digits))
      }
    }
  }
  const constant = conditions.filter(({ expression }) => isConstant(expression))
  const values = constant.length === 0 ? [] : await evaluate(constant.map(({ expression }) => expression))
  constant.forEach(({ operator, expression }, i) => {
    const value = values[i] ?? null
    if (value !== null)
      span = meet(span, spanBy(operator, value, hasFunction(expression) ? SLACK_MICROS : 0n))
  })
  return meet(span, partsSpan(parts))
}

function conjunctsOf(node: Node | undefined): Node[] {
  if (node === undefined) return []
  if (textOf(node, 'type') !== 'CONJUNCTION_AND' || !Array.isArray(node['children'])) return [node]
  return node['children'].filter(isNode).flatMap(conjunctsOf)
}

interface Comparison {
  readonly column: string
  readonly operator: string
  readonly value: Node
}

const flipped: Readonly<Record<string, string>> = {
  COMPARE_EQUAL: 'COMPARE_EQUAL',
  COMPARE_GREATERTHAN: 'COMPARE_LESSTHAN',
  COMPARE_GREATERTHANOREQUALTO: 'COMPARE_LESSTHANOREQUALTO',
  COMPARE_LESSTHAN: 'COMPARE_GREATERTHAN',
  COMPARE_LESSTHANOREQUALTO: 'COMPARE_GREATERTHANOREQUALTO',
}

function comparisonsOf(node: Node, leaf: OwnLeaf, alone: boolean): Comparison[] {
  const type = textOf(node, 'type')
  const { left, right, input, lower, upper } = node
  if (textOf(node, 'class') === 'BETWEEN' && type === 'COMPARE_BETWEEN' && isNode(lower) && isNode(upper)) {
    const column = columnOf(input, leaf, alone)
    if (column === undefined) return []
    return [
      { column, operator: 'COMPARE_GREATERTHANOREQUALTO', value: lower },
      { column, operator: 'COMPARE_LESSTHANOREQUALTO', value: upper },
    ]
  }
  const turned = flipped[type]
  if (textOf(node, 'class') !== 'COMPARISON' || turned === undefined || !isNode(left) || !isNode(right))
    return []
  const direct = columnOf(left, leaf, alone)
  if (direct !== undefined) return [{ column: direct, operator: type, value: right }]
  const other = columnOf(right, leaf, alone)
  return other === undefined ? [] : [{ column: other, operator: turned, value: left }]
}

const timeColumns = new Set(['created_at', 'year', 'month', 'day'])

/**
 * The column of time that a reference means; an unqualified name belongs to the leaf if it is the only table
 * of Akashi.
 */
function columnOf(node: unknown, leaf: OwnLeaf, alone: boolean): string | undefined {
  if (!isNode(node) || textOf(node, 'class') !== 'COLUMN_REF' || !Array.isArray(node['column_names']))
    return undefined
  const names = node['column_names'].map((name) => String(name).toLowerCase())
  const column = names.at(-1) ?? ''
  if (!timeColumns.has(column) || leaf.ownDateParts.includes(column)) return undefined
  const owner = names.slice(0, -1)
  const own =
    owner.length === 0
      ? alone
      : owner.length === 1
        ? owner[0] === leaf.alias
        : owner.length === 2 && leaf.alias === leaf.name && owner[0] === leaf.schema && owner[1] === leaf.name
  return own ? column : undefined
}

function conditionsOf(operator: string, expression: Node): Condition[] {
  switch (operator) {
    case 'COMPARE_EQUAL':
      return [
        { operator: 'from', expression },
        { operator: 'upto', expression },
      ]
    case 'COMPARE_GREATERTHANOREQUALTO':
      return [{ operator: 'from', expression }]
    case 'COMPARE_GREATERTHAN':
      return [{ operator: 'after', expression }]
    case 'COMPARE_LESSTHAN':
      return [{ operator: 'to', expression }]
    default:
      return [{ operator: 'upto', expression }]
  }
}

function spanBy(operator: Condition['operator'], value: bigint, slack: bigint): Span {
  switch (operator) {
    case 'from':
      return { from: value - slack, to: undefined }
    case 'after':
      return { from: value + 1n - slack, to: undefined }
    case 'to':
      return { from: undefined, to: value + slack }
    case 'upto':
      return { from: undefined, to: value + 1n + slack }
  }
}

/** Functions whose value is constant or depends only on the clock. */
const functions = new Set([
  'now',
  'get_current_timestamp',
  'current_timestamp',
  'current_date',
  'today',
  'date_trunc',
  'make_date',
  'make_timestamp',
  'make_timestamptz',
  'to_days',
  'to_hours',
  'to_minutes',
  'to_months',
  'to_seconds',
  'to_weeks',
  'to_years',
  '+',
  '-',
  '*',
])

function isConstant(node: Node): boolean {
  switch (textOf(node, 'class')) {
    case 'CONSTANT':
      return true
    case 'CAST':
      return isNode(node['child']) && isConstant(node['child'])
    case 'FUNCTION':
      return (
        functions.has(textOf(node, 'function_name').toLowerCase()) &&
        textOf(node, 'schema') === '' &&
        Array.isArray(node['children']) &&
        node['children'].every((child) => isNode(child) && isConstant(child))
      )
    default:
      return false
  }
}

function hasFunction(node: Node): boolean {
  if (textOf(node, 'class') === 'FUNCTION') return true
  return isNode(node['child']) && hasFunction(node['child'])
}

interface Digits {
  readonly text: string
  readonly isText: boolean
}

/** A year, month or day as written: `'06'` and `6` differ as text but are the same number. */
function digitsOf(node: Node): Digits | undefined {
  const { value: constant } = node
  if (textOf(node, 'class') !== 'CONSTANT' || !isNode(constant)) return undefined
  const { value, type } = constant
  const id = isNode(type) ? textOf(type, 'id') : ''
  if (id === 'VARCHAR' && typeof value === 'string' && /^\d{2}(\d{2})?$/.test(value)) {
    return { text: value, isText: true }
  }
  if (id === 'INTEGER' && typeof value === 'number') {
    return { text: String(value).padStart(2, '0'), isText: false }
  }
  return undefined
}

function startOf(year: number, month = 1, day = 1): bigint {
  return BigInt(Date.UTC(year, month - 1, day)) * 1_000n
}

const FIRST_YEAR = 1_000
const LAST_YEAR = 9_999

/** As text, '10000' sorts before '2024', so an upper bound of text is not a bound of time. */
function yearSpan(operator: string, { text, isText }: Digits): Span {
  const year = Number(text)
  if (year < FIRST_YEAR || year >= LAST_YEAR) return always
  switch (operator) {
    case 'COMPARE_EQUAL':
      return { from: startOf(year), to: startOf(year + 1) }
    case 'COMPARE_GREATERTHANOREQUALTO':
      return { from: startOf(year), to: undefined }
    case 'COMPARE_GREATERTHAN':
      return { from: startOf(year + 1), to: undefined }
    case 'COMPARE_LESSTHAN':
      return isText ? always : { from: undefined, to: startOf(year) }
    case 'COMPARE_LESSTHANOREQUALTO':
      return isText ? always : { from: undefined, to: startOf(year + 1) }
    default:
      return always
  }
}

const MONTHS = 12
const DAYS = 31

function partsSpan(parts: ReadonlyMap<string, string>): Span {
  const [year, month, day] = ['year', 'month', 'day'].map((name) => Number(parts.get(name) ?? Number.NaN))
  if (year === undefined || !(year >= FIRST_YEAR && year < LAST_YEAR)) return always
  if (month === undefined || !(month >= 1 && month <= MONTHS)) return always
  if (day === undefined || !(day >= 1 && day <= DAYS)) {
    return { from: startOf(year, month), to: startOf(year, month + 1) }
  }
  return { from: startOf(year, month, day), to: startOf(year, month, day + 1) }
}
