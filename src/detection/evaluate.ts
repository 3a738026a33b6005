/**
 * The reference evaluation of an expression over one event; the SQL of both engines must give the same
 * result.
 */
import { type Calendar, clockPart } from './calendar.ts'
import type { Comparison, Expression, Field, PatternPart, Test } from './rule/ast.ts'
import { asciiLower } from './sql/dialects.ts'

/** An event: columns, with JSON as objects, and created_at in microseconds since 1970. */
export interface PlainEvent {
  readonly created_at: number
  readonly [column: string]: unknown
}

export function evaluate(expression: Expression, event: PlainEvent, calendar: Calendar): boolean {
  switch (expression.op) {
    case 'not':
      return !evaluate(expression.of, event, calendar)
    case 'and':
      return expression.of.every((each) => evaluate(each, event, calendar))
    case 'or':
      return expression.of.some((each) => evaluate(each, event, calendar))
    case 'test':
      return check(expression.field, expression.test, event, calendar)
  }
}

/** The text of a field; null for what is absent, null, an object or an array. */
export function textOf({ column, path }: Field, event: PlainEvent): string | null {
  let found: unknown = Object.hasOwn(event, column) ? event[column] : null
  for (const key of path) {
    if (typeof found !== 'object' || found === null || Array.isArray(found) || !Object.hasOwn(found, key))
      return null
    found = (found as Readonly<Record<string, unknown>>)[key]
  }
  if (typeof found === 'string') return found
  return typeof found === 'number' || typeof found === 'boolean' || typeof found === 'bigint'
    ? String(found)
    : null
}

function check(field: Field, test: Test, event: PlainEvent, calendar: Calendar): boolean {
  if (test.kind === 'clock') {
    return compare(test.comparison, clockPart(calendar, test.part, event.created_at), test.value)
  }
  const value = textOf(field, event)
  if (test.kind === 'absent') return value === null
  if (value === null) return false
  switch (test.kind) {
    case 'like':
      return compiled(test, () => patternOf(test.pattern, test.cased)).test(
        test.cased ? value : asciiLower(value),
      )
    case 'regex':
      return compiled(test, () => new RegExp(test.source, test.insensitive ? 'sui' : 'su')).test(value)
    case 'number':
      return (
        /^-?[0-9]{1,15}([.][0-9]{1,6})?$/.test(value) && compare(test.comparison, Number(value), test.value)
      )
    case 'same': {
      const other = textOf(test.field, event)
      if (other === null) return false
      return test.cased ? value === other : asciiLower(value) === asciiLower(other)
    }
  }
}

/** Cached by test, since rules run over many events. */
const expressions = new WeakMap<Test, RegExp>()

function compiled(test: Test, make: () => RegExp): RegExp {
  const found = expressions.get(test) ?? make()
  expressions.set(test, found)
  return found
}

function patternOf(pattern: readonly PatternPart[], cased: boolean): RegExp {
  const source = pattern.map((part) => {
    if (typeof part === 'string')
      return (cased ? part : asciiLower(part)).replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
    return part.wildcard === 'any' ? '.*' : '.'
  })
  return new RegExp(`^${source.join('')}$`, 'su')
}

export function compare(comparison: Comparison | 'eq', left: number, right: number): boolean {
  switch (comparison) {
    case 'lt':
      return left < right
    case 'lte':
      return left <= right
    case 'gt':
      return left > right
    case 'gte':
      return left >= right
    case 'eq':
      return left === right
  }
}
