/** SQL text of names and values, where no parameter can stand: COPY, DuckDB's options, file names. */

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** With standard_conforming_strings on, as PostgreSQL and DuckDB have it. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
