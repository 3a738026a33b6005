/** Quotes names and values for SQL where parameters are not possible: COPY, DuckDB's options, file names. */

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** For standard_conforming_strings = on, which PostgreSQL and DuckDB use. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
