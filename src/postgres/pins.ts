/**
 * Settings that change the meaning of a statement or the format of its result. A role can change the defaults of
 * its own connections (`alter role … set`), and the owner of a database everyone's, so each transaction and each
 * session sets them itself. search_path is the first, since every operator and function is looked up by name.
 */
export const pinnedSettings: readonly (readonly [name: string, value: string])[] = [
  ['search_path', 'pg_catalog, pg_temp'],
  ['row_security', 'on'],
  ['standard_conforming_strings', 'on'],
  ['transform_null_equals', 'off'],
  ['array_nulls', 'on'],
  // A check that a superuser calls valid would hide the rows that contradict it.
  ['constraint_exclusion', 'off'],
  ['gin_fuzzy_search_limit', '0'],
  ['check_function_bodies', 'on'],
  ['default_tablespace', ''],
  ['default_table_access_method', 'heap'],
  ['timezone', 'UTC'],
  ['datestyle', 'ISO, YMD'],
  ['intervalstyle', 'iso_8601'],
  ['bytea_output', 'hex'],
  ['extra_float_digits', '1'],
  ['lc_monetary', 'C'],
  ['lc_numeric', 'C'],
  ['xmloption', 'content'],
  ['xmlbinary', 'base64'],
  ['quote_all_identifiers', 'off'],
  ['default_text_search_config', 'pg_catalog.simple'],
  ['lock_timeout', '0'],
]

/** Set for sessions only; a transaction states these itself. */
export const sessionDefaults: readonly (readonly [name: string, value: string])[] = [
  ['default_transaction_isolation', 'read committed'],
  ['default_transaction_read_only', 'off'],
  ['default_transaction_deferrable', 'off'],
  ['idle_in_transaction_session_timeout', '0'],
  ['idle_session_timeout', '0'],
]

/** `pg_catalog.set_config(…), …`, fully qualified because it runs before the search path is set. */
export function pinText(
  settings: readonly (readonly [name: string, value: string])[],
  local: boolean,
): string {
  return [
    ...settings.map(([name, value]) => setText(name, `'${value}'`, local)),
    // Since PostgreSQL 17.
    `case when pg_catalog.current_setting('transaction_timeout', true) is not null
      then ${setText('transaction_timeout', "'0'", local)} end`,
    // Only a superuser may set it, so for every other login the transaction fails here.
    `case when pg_catalog.current_setting('session_replication_role') operator(pg_catalog.<>) 'origin'
      then ${setText('session_replication_role', "'origin'", local)} end`,
  ].join(', ')
}

/** @param value an expression of type text */
export function setText(name: string, value: string, local: boolean): string {
  return `pg_catalog.set_config('${name}', ${value}, ${local})`
}
