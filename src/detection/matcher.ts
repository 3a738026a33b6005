/** Runs many rules over rows: what to select, and what to do with each row. */
import type { Calendar } from './calendar.ts'
import { Correlator, type Finding, type Matched, spanOf } from './correlate.ts'
import { evaluate, type PlainEvent, textOf } from './evaluate.ts'
import type { EventRule, Expression, Field, Rule, SourceTable } from './rule/ast.ts'
import type { Bind, Dialect } from './sql/dialects.ts'
import { emitExpression } from './sql/emit.ts'

interface Use {
  readonly correlator: Correlator
  readonly part: number
  readonly groupBy: readonly Field[]
  readonly value: Field | null
}

/** Rules for events that have the same meaning are tested once. */
interface Tested {
  readonly expression: Expression
  readonly uses: Use[]
}

/** A matched row: id, created_at in microseconds, which tests it passes (`1` or `0` each), and the fields. */
export type Row = readonly [id: string, at: number, passed: string, ...fields: (string | null)[]]

/** The rules of one table, and the state of their windows. */
export class Matcher {
  readonly table: SourceTable
  readonly rules: readonly Rule[]
  readonly calendar: Calendar
  readonly #tested: Tested[] = []
  readonly #fields: Field[] = []
  readonly #correlators: Correlator[] = []

  constructor(table: SourceTable, rules: readonly Rule[], calendar: Calendar) {
    this.table = table
    this.rules = rules
    this.calendar = calendar
    const byRule = new Map<string, Tested>()
    const testedFor = (rule: EventRule): Tested => {
      const found = byRule.get(rule.id)
      if (found !== undefined) return found
      const tested = { expression: rule.expression, uses: [] }
      byRule.set(rule.id, tested)
      this.#tested.push(tested)
      return tested
    }
    for (const rule of rules) {
      if (rule.kind === 'event' && !rule.reports) continue
      const correlator = new Correlator(rule)
      this.#correlators.push(correlator)
      if (rule.kind === 'event') {
        testedFor(rule).uses.push({ correlator, part: 0, groupBy: rule.groupBy, value: null })
      } else {
        rule.parts.forEach((part, index) => {
          testedFor(part.rule).uses.push({
            correlator,
            part: index,
            groupBy: part.groupBy,
            value: part.value,
          })
        })
      }
    }
    for (const { uses } of this.#tested) {
      for (const { groupBy, value } of uses)
        for (const field of value === null ? groupBy : [...groupBy, value]) this.#place(field)
    }
  }

  /** Maximum microseconds between two events of the same finding. */
  get horizon(): number {
    return Math.max(0, ...this.rules.map(spanOf))
  }

  get isEmpty(): boolean {
    return this.#tested.length === 0
  }

  /**
   * The select list, for rows `r` of the table, and which rows to take.
   */
  select(dialect: Dialect, bind: Bind): { readonly columns: string; readonly where: string } {
    const tests = this.#tested.map(({ expression }) =>
      emitExpression(expression, dialect, bind, this.calendar),
    )
    const passed = tests.map((_, at) => `case when t${at} then '1' else '0' end`).join(' || ')
    const fields = this.#fields.map((field, at) => `${dialect.text(field, bind)} as f${at}`)
    const inner = [
      `cast(r.id as ${dialect.name === 'duckdb' ? 'varchar' : 'text'}) as id`,
      `${dialect.micros('created_at')} as micros`,
      ...tests.map((test, at) => `${test} as t${at}`),
      ...fields,
    ].join(', ')
    return {
      columns: inner,
      where: `select id, micros, ${passed} as passed${this.#fields.map((_, at) => `, f${at}`).join('')} from matched where ${tests.map((_, at) => `t${at}`).join(' or ')} order by micros, id`,
    }
  }

  row([id, at, passed, ...fields]: Row, silently = false): void {
    this.#tested.forEach(({ uses }, index) => {
      if (passed[index] !== '1') return
      for (const use of uses)
        this.#give(use, { id, at }, (field) => fields[this.#place(field)] ?? null, silently)
    })
  }

  /** The same for a plain event, without SQL. */
  event(id: string, event: PlainEvent): void {
    for (const { expression, uses } of this.#tested) {
      if (!evaluate(expression, event, this.calendar)) continue
      for (const use of uses)
        this.#give(use, { id, at: event.created_at }, (field) => textOf(field, event), false)
    }
  }

  take(): Finding[] {
    return this.#correlators.flatMap((correlator) => correlator.take())
  }

  forget(at: number): void {
    for (const correlator of this.#correlators) correlator.forget(at)
  }

  #give(
    use: Use,
    event: Pick<Matched, 'id' | 'at'>,
    read: (field: Field) => string | null,
    silently: boolean,
  ): void {
    const { correlator, part, groupBy, value } = use
    correlator.add(
      { ...event, part, group: groupBy.map(read), value: value === null ? null : read(value) },
      silently,
    )
  }

  #place(field: Field): number {
    const found = this.#fields.findIndex(
      ({ column, path }) => column === field.column && path.join('\0') === field.path.join('\0'),
    )
    return found >= 0 ? found : this.#fields.push(field) - 1
  }
}
