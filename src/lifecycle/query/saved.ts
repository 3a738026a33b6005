/** Queries that people keep. Row-level security shows one's own and shared ones, and changes one's own alone. */
import type { NewSavedQuery, SavedQuery } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

/** Saved queries of one person. */
const MAX_SAVED = 500

/** One's own first, by name. @param database of the role app */
export async function listSavedQueries(database: Database, actor: Actor): Promise<SavedQuery[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<SavedQuery>(
        `select id, name, description, sql, shared, owner_id = akashi_auth.current_user_id() as own, updated_at as "updatedAt"
         from akashi_lifecycle.saved_queries order by own desc, name, id`,
      ),
    { readOnly: true },
  )
  return rows
}

/** @returns its id @throws AkashiError conflict for a name that one has already, or beyond {@link MAX_SAVED} */
export async function saveQuery(
  database: Database,
  actor: Actor,
  { name, description, sql, shared }: NewSavedQuery,
): Promise<string> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ id: string }>(
      `insert into akashi_lifecycle.saved_queries (name, description, sql, shared)
       select $1, $2, $3, $4
       where (select count(*) from akashi_lifecycle.saved_queries where owner_id = akashi_auth.current_user_id()) < $5
       returning id`,
      [name, description, sql, shared, MAX_SAVED],
    ),
  )
  const [row] = rows
  if (row === undefined) {
    throw new AkashiError('conflict', `a person can save at most ${MAX_SAVED} queries`, {
      hint: 'delete one that is no longer needed',
    })
  }
  return row.id
}

export async function changeSavedQuery(
  database: Database,
  actor: Actor,
  id: string,
  { name, description, sql, shared }: NewSavedQuery,
): Promise<void> {
  const { rowCount } = await database.transaction(actor, (session) =>
    session.query(
      'update akashi_lifecycle.saved_queries set name = $2, description = $3, sql = $4, shared = $5 where id = $1',
      [id, name, description, sql, shared],
    ),
  )
  if (rowCount === 0) throw unknown(id)
}

export async function deleteSavedQuery(database: Database, actor: Actor, id: string): Promise<void> {
  const { rowCount } = await database.transaction(actor, (session) =>
    session.query('delete from akashi_lifecycle.saved_queries where id = $1', [id]),
  )
  if (rowCount === 0) throw unknown(id)
}

function unknown(id: string): AkashiError {
  return new AkashiError('not_found', `you have no saved query ${id}`)
}
