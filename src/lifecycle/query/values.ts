/** Values of an answer as JSON has them. */

/** Types whose values DuckDB writes as text, and that are whole numbers. */
const whole = new Set(['BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT'])

/** A whole number stays text where JSON's readers would round it. */
export function plainRow(row: readonly unknown[], types: readonly string[]): readonly unknown[] {
  return row.map((value, i) => {
    if (typeof value !== 'string' || !whole.has(types[i] ?? '')) return value
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  })
}
