/**
 * What a query may consist of: the nodes of DuckDB's syntax tree that read only the tables they name. Everything
 * else is refused, also what a later version of DuckDB adds: a function that reads a table whose name is in a
 * text would be missed when the objects to read are chosen, and the result would be wrong.
 */
import { AkashiError } from '../../foundation/index.ts'

const expressions = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLLATE',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'FUNCTION',
  'LAMBDA',
  'OPERATOR',
  'POSITIONAL_REFERENCE',
  'STAR',
  'SUBQUERY',
  'WINDOW',
])

const queryNodes = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE'])

const references = new Set([
  'BASE_TABLE',
  'EMPTY',
  'EXPRESSION_LIST',
  'JOIN',
  'PIVOT',
  'SHOW_REF',
  'SUBQUERY',
  'TABLE_FUNCTION',
])

const modifiers = new Set([
  'ASCENDING',
  'DESCENDING',
  'DISTINCT_MODIFIER',
  'LIMIT_MODIFIER',
  'LIMIT_PERCENT_MODIFIER',
  'ORDER_DEFAULT',
  'ORDER_MODIFIER',
])

/** Table functions that make rows from their arguments alone. */
const tableFunctions = new Set([
  'generate_series',
  'json_each',
  'json_tree',
  'range',
  'repeat',
  'repeat_row',
  'unnest',
])

/** Scalar functions whose result is the engine's own state: variables, settings and the text of its views. */
const refusedFunctions = /^(pg_get_|current_setting$|getenv$|getvariable$|nextval$|currval$|query)/

type Node = Readonly<Record<string, unknown>>

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.toLowerCase() : ''
}

/** @throws AkashiError forbidden, naming what cannot be used */
export function checkNode(node: Node): void {
  const { class: kind, type } = node
  if (typeof kind === 'string') {
    if (!expressions.has(kind)) throw refused(kind.toLowerCase())
    if (kind === 'FUNCTION' && refusedFunctions.test(textOf(node['function_name']))) {
      throw refused(`the function ${textOf(node['function_name'])}`)
    }
    return
  }
  if (typeof type !== 'string' || type.endsWith('_TYPE_INFO')) return
  if (!queryNodes.has(type) && !references.has(type) && !modifiers.has(type))
    throw refused(type.toLowerCase())
  if (type === 'TABLE_FUNCTION') checkTableFunction(node['function'])
  // SHOW TABLES and its like name no table and read the catalog.
  if (type === 'SHOW_REF' && (node['query'] === null || textOf(node['table_name']) !== ''))
    throw refused('show')
  if (type === 'BASE_TABLE' && node['at_clause'] !== null && node['at_clause'] !== undefined)
    throw refused('at')
}

function checkTableFunction(called: unknown): void {
  const call: Node = typeof called === 'object' && called !== null ? { ...called } : {}
  const name = textOf(call['function_name'])
  if (tableFunctions.has(name) && textOf(call['schema']) === '' && textOf(call['catalog']) === '') return
  throw refused(`the table function ${name}`)
}

function refused(what: string): AkashiError {
  return new AkashiError('forbidden', `a query cannot use ${what}`, {
    hint: `name tables directly; the allowed table functions are ${[...tableFunctions].join(', ')}`,
  })
}
