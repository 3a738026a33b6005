import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

/**
 * Makes the digests of a person of an application say nothing any more. Their rows in the application's own tables are
 * the application's to delete.
 *
 * @param person as the column of `protect --subject` names them
 * @param options confirm: the person, repeated; reason: up to 1,000 characters, recorded
 * @returns how many salts were destroyed; 0 when the trail has no digests of them
 * @throws AkashiError conflict for a user of Akashi, forbidden without keys:admin
 */
export async function forgetPerson(
  database: Database,
  actor: Actor,
  person: string,
  { confirm, reason }: { readonly confirm: string; readonly reason: string },
): Promise<number> {
  if (confirm !== person) {
    throw new AkashiError('invalid_input', 'the confirmation does not match the person', {
      hint: 'this cannot be undone: repeat the id of the person',
    })
  }
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ salts: number }>('select akashi_keys.forget_person($1, $2) as salts', [person, reason]),
  )
  return rows[0]?.salts ?? 0
}
