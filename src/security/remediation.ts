/** What is done about an event: kept beside it, with every change in the audit trail. */
import { type Remediation, type RemediationChange, remediationChange } from '@akashi/contract'
import { z } from 'zod'
import { AkashiError, parseQuery } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

const changeable = [
  ['status', 'remediation_status'],
  ['notes', 'remediation_notes'],
  ['assignee', 'assignee'],
] as const

/**
 * Changes what is known of an event's remediation, from the actor of the context.
 *
 * @throws AkashiError not_found when there is no such event, invalid_input naming every mistake
 */
export async function remediate(
  database: Database,
  actor: Actor,
  eventId: string,
  change: RemediationChange,
): Promise<Remediation> {
  const id = parseQuery(z.guid('is no uuid'), eventId)
  const wanted = parseQuery(remediationChange, change)
  const given = changeable.filter(([key]) => wanted[key] !== undefined)
  const columns = given.map(([, column]) => column)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<Remediation>(
      // An event that has left for the archive keeps its remediation.
      `insert into akashi_security.remediations as r (event_id, event_created_at, ${columns.join(', ')})
       select found.id, found.created_at, ${given.map((_, at) => `$${at + 2}`).join(', ')} from (
         select id, created_at from akashi_security.security_events where id = $1
         union
         select event_id, event_created_at from akashi_security.remediations where event_id = $1
       ) found
       on conflict (event_id, event_created_at) do update
         set ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}
       returning r.event_id as "eventId", r.remediation_status as status, r.remediation_notes as notes, r.assignee,
         r.resolved_at as "resolvedAt", r.updated_at as "updatedAt"`,
      [id, ...given.map(([key]) => wanted[key])],
    )
    const [row] = rows
    if (row === undefined) throw new AkashiError('not_found', `there is no event ${id}`)
    return row
  })
}
