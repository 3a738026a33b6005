/** Turns expressions into SQL of one engine. */
import type { Calendar } from '../calendar.ts'
import type { ClockPart, Expression, Field, Test } from '../rule/ast.ts'
import { asciiLower, type Bind, type Dialect, likePattern } from './dialects.ts'

const MAX_HOLIDAYS = 2_000

/** True or false, never null. Columns are those of `r`. */
export function emitExpression(
  expression: Expression,
  dialect: Dialect,
  bind: Bind,
  calendar: Calendar,
): string {
  const emit = (inner: Expression): string => {
    switch (inner.op) {
      case 'not':
        return `not ${emit(inner.of)}`
      case 'and':
      case 'or':
        return inner.of.length === 0
          ? String(inner.op === 'and')
          : `(${inner.of.map(emit).join(inner.op === 'and' ? ' and ' : ' or ')})`
      case 'test':
        return emitTest(inner.field, inner.test, dialect, bind, calendar)
    }
  }
  return emit(expression)
}

function emitTest(field: Field, test: Test, dialect: Dialect, bind: Bind, calendar: Calendar): string {
  if (test.kind === 'clock') {
    const value = emitClock(test.part, field, dialect, calendar)
    return `coalesce(${value} ${dialect.comparisons[test.comparison]} ${bind(test.value)}, false)`
  }
  const text = dialect.text(field, bind)
  switch (test.kind) {
    case 'absent':
      return `(${text} is null)`
    case 'like': {
      const lower = (value: string) => (test.cased ? value : asciiLower(value))
      const side = test.cased ? text : dialect.lower(text)
      const plain =
        test.pattern.length === 0 || (test.pattern.length === 1 && typeof test.pattern[0] === 'string')
      if (plain) return `coalesce(${side} = ${bind(lower(String(test.pattern[0] ?? '')))}, false)`
      return `coalesce(${side} like ${bind(lower(likePattern(test.pattern)))} escape '!', false)`
    }
    case 'regex':
      return `coalesce(${dialect.regex(text, test.source, test.insensitive, bind)}, false)`
    case 'number':
      return `coalesce(${dialect.number(text)} ${dialect.comparisons[test.comparison]} ${bind(test.value)}, false)`
    case 'same': {
      const other = dialect.text(test.field, bind)
      const sides = test.cased ? [text, other] : [dialect.lower(text), dialect.lower(other)]
      return `coalesce(${sides.join(' = ')}, false)`
    }
  }
}

/** Computed from integers only, so that the engines need no time zone data. */
function emitClock(part: ClockPart, { column }: Field, dialect: Dialect, calendar: Calendar): string {
  const micros = dialect.micros(column)
  const floor = (value: string) => `cast(floor(${value}) as bigint)`
  const steps = calendar.offsets.slice(1).toReversed()
  const first = calendar.offsets[0]?.offset ?? 0
  const offset =
    steps.length === 0
      ? String(first)
      : `case ${steps.map((step) => `when ${micros} >= ${step.at} then ${step.offset}`).join(' ')} else ${first} end`
  const seconds = `(${floor(`${micros} / 1000000.0`)} + ${offset})`
  const day = floor(`${seconds} / 86400.0`)
  if (part === 'hour') return floor(`(${seconds} - ${day} * 86400) / 3600.0`)
  if (part === 'weekday') return `((((${day} + 3) % 7) + 7) % 7 + 1)`
  const days = calendar.holidays.slice(0, MAX_HOLIDAYS)
  return days.length === 0 ? '0' : `(case when ${day} in (${days.join(', ')}) then 1 else 0 end)`
}
