import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

export interface Holder {
  readonly id: string
  readonly username: string
}

/**
 * The user that an administrator gives by id or username, if visible to the caller. A value in the form of an
 * id is one; no username has it.
 *
 * @throws AkashiError not_found
 */
export async function holderNamed(database: Database, actor: Actor, idOrUsername: string): Promise<Holder> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Holder>(
        `select id, username from akashi_auth.users
         where id = akashi_auth.try_uuid($1)
           or (akashi_auth.try_uuid($1) is null and akashi_auth.username_key(username) = akashi_auth.username_key($1))`,
        [idOrUsername],
      ),
    { readOnly: true },
  )
  const [user] = rows
  if (user === undefined) {
    throw new AkashiError('not_found', `user not found: ${idOrUsername}`, {
      hint: 'give a username or an id',
    })
  }
  return user
}
