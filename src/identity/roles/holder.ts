import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

/**
 * The id of a user given by username or id, if the caller may see the user.
 *
 * @throws AkashiError not_found
 */
export async function userIdOf(database: Database, actor: Actor, nameOrId: string): Promise<string> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ id: string }>(
        'select id from akashi_auth.users where username = $1 or id = akashi_auth.try_uuid($1) order by username = $1 desc limit 1',
        [nameOrId],
      ),
    { readOnly: true },
  )
  const [user] = rows
  if (user === undefined) {
    throw new AkashiError('not_found', `user not found: ${nameOrId}`, { hint: 'give a username or an id' })
  }
  return user.id
}
