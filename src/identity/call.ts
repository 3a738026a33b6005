import { AkashiError } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

/** What one function of the database answers, in a transaction of its own. `text` is a constant, e.g. `auth.f($1)`. */
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
  if (row === undefined) throw new AkashiError('internal', 'the database answered nothing')
  return row.result
}
