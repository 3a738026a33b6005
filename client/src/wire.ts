import { ContextError } from './error.ts'

/** Reads what a signature needs to know; once for a connection, and again when a context was not accepted. */
export const READ_SERVER = `select pg_catalog.concat((pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000)::pg_catalog.int8,
  ' ', akashi_auth.context_audience()) as server`

/**
 * Sets every setting of the context for the transaction and takes it up, or fails, so that nothing that is sent behind
 * it runs without one. $1 is an {@link arrayLiteral}, which every driver passes on as the text that it is.
 */
export const SET_CONTEXT = 'select akashi_auth.set_context($1::pg_catalog.text::pg_catalog.text[])'

/** An array as PostgreSQL reads it from text: drivers differ in what they make of arrays, but all pass text on. */
export function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map((value) => `"${String(value).replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
}

/** SQLSTATE of a context that is not accepted. */
export const NOT_ACCEPTED = 'AK005'

/** SQLSTATE of a missing right, schema and function. */
const NOT_INSTALLED = ['42501', '3F000', '42883']

/** Of errors in what goes ahead of a statement: what to do about it. */
export function explained(error: unknown, code: unknown): unknown {
  if (NOT_INSTALLED.includes(String(code))) {
    return new ContextError(
      'the login may not use request contexts',
      'check that Akashi is installed in this database, and grant akashi_client to the login',
      error,
    )
  }
  if (code === NOT_ACCEPTED) {
    return new ContextError(
      'the database does not accept the request context',
      'the context key may be revoked, or was created for another login: akashi context-key list',
      error,
    )
  }
  return error
}
