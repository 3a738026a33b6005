import { AkashiError } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

/** Calls a database function in its own transaction and returns its result. `text` is a constant such as `akashi_auth.f($1)`. */
export async function call<T>(
  database: Database,
  actor: Actor,
  text: string,
  values: readonly unknown[],
): Promise<T> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ result: T }>(`select ${text} as result`, values),
  )
  const [row] = rows
  if (row === undefined) throw new AkashiError('internal', 'the database returned nothing')
  return row.result
}
