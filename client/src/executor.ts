/**
 * Runs one statement with `$1` parameters where the caller says: in an open transaction, or by itself. A pool or
 * client of `pg` is one; each adapter's `executor()` makes one of what its library calls a transaction.
 */
export interface Executor {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>
}

const PARAMETER = /\$(\d+)/

/** Pieces of a text around its parameters, for libraries that count them themselves. */
export function splitParameters(
  text: string,
  values: readonly unknown[],
): { readonly strings: string[]; readonly values: unknown[] } {
  const parts = text.split(PARAMETER)
  return {
    strings: parts.filter((_, index) => index % 2 === 0),
    values: parts.filter((_, index) => index % 2 === 1).map((number) => values[Number(number) - 1]),
  }
}
