/** Values of a result as JSON has them. */

/** Integer types whose values DuckDB writes as text. */
const whole = new Set(['BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT'])

/** Integers that JSON parsers would round stay strings. */
export function plainRow(row: readonly unknown[], types: readonly string[]): readonly unknown[] {
  return row.map((value, i) => {
    if (typeof value !== 'string' || !whole.has(types[i] ?? '')) return value
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  })
}
