import type { Expression } from './ast.ts'
import { RuleFault } from './fault.ts'

const TOKEN = /\s*(\(|\)|[^\s()]+)/y
const MAX_DEPTH = 50

/**
 * Parses a condition: names of selections, `and`, `or`, `not`, parentheses, `1 of x*`, `all of them`.
 *
 * @param selections by name; those whose names begin with `_` are not among `them`
 */
export function parseCondition(written: string, selections: ReadonlyMap<string, Expression>): Expression {
  if (written.includes('|')) {
    throw new RuleFault('aggregations after | are no longer part of Sigma; write a correlation', [
      'detection',
      'condition',
    ])
  }
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(written); match !== null; match = TOKEN.exec(written))
    tokens.push(match[1] ?? '')
  let at = 0
  const fault = (message: string) => new RuleFault(message, ['detection', 'condition'])
  const peek = () => tokens[at]?.toLowerCase()

  const any = (depth: number): Expression => {
    if (depth > MAX_DEPTH) throw fault(`nested deeper than ${MAX_DEPTH} levels`)
    const of = [all(depth)]
    while (peek() === 'or') {
      at += 1
      of.push(all(depth))
    }
    return of.length === 1 && of[0] !== undefined ? of[0] : { op: 'or', of }
  }
  const all = (depth: number): Expression => {
    const of = [one(depth)]
    while (peek() === 'and') {
      at += 1
      of.push(one(depth))
    }
    return of.length === 1 && of[0] !== undefined ? of[0] : { op: 'and', of }
  }
  const one = (depth: number): Expression => {
    const token = tokens[at]
    if (token === undefined) throw fault('the condition is incomplete')
    at += 1
    if (token.toLowerCase() === 'not') return { op: 'not', of: one(depth + 1) }
    if (token === '(') {
      const inner = any(depth + 1)
      if (tokens[at] !== ')') throw fault('a parenthesis is not closed')
      at += 1
      return inner
    }
    if (peek() === 'of' && /^(?:1|any|all)$/i.test(token)) return several(token.toLowerCase())
    return named(token)
  }
  const several = (quantity: string): Expression => {
    at += 1
    const pattern = tokens[at] ?? ''
    at += 1
    const names =
      pattern.toLowerCase() === 'them'
        ? [...selections.keys()].filter((name) => !name.startsWith('_'))
        : [...selections.keys()].filter((name) => matches(name, pattern))
    if (names.length === 0) throw fault(`there is no selection ${pattern}`)
    return { op: quantity === 'all' ? 'and' : 'or', of: names.map(named) }
  }
  const named = (name: string): Expression => {
    const found = selections.get(name)
    if (found === undefined) throw fault(`there is no selection ${name}`)
    return found
  }

  const expression = any(0)
  if (at < tokens.length) throw fault(`${tokens[at]} is not expected here`)
  return expression
}

function matches(name: string, pattern: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^${source}$`).test(name)
}
