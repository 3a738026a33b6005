/** The remediation of an event, kept beside it; the audit trail records every change. */
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
 * Changes the remediation of an event on behalf of the actor.
 *
 * @throws AkashiError not_found for an unknown event, invalid_input with every mistake
 */
export async function remediate(
  database: Database,
  actor: Actor,
  eventId: string,
  change: RemediationChange,
): Promise<Remediation> {
  const id = parseQuery(z.guid('is not a UUID'), eventId)
  const wanted = parseQuery(remediationChange, change)
  const changes = changeable.filter(([key]) => wanted[key] !== undefined)
  const columns = changes.map(([, column]) => column)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<Remediation>(
      // An archived event keeps its remediation.
      `insert into akashi_security.remediations as r (event_id, event_created_at, ${columns.join(', ')})
       select found.id, found.created_at, ${changes.map((_, at) => `$${at + 2}`).join(', ')} from (
         select id, created_at from akashi_security.security_events where id = $1
         union
         select event_id, event_created_at from akashi_security.remediations where event_id = $1
       ) found
       on conflict (event_id, event_created_at) do update
         set ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}
       returning r.event_id as "eventId", r.remediation_status as status, r.remediation_notes as notes, r.assignee,
         r.resolved_at as "resolvedAt", r.updated_at as "updatedAt"`,
      [id, ...changes.map(([key]) => wanted[key])],
    )
    const [row] = rows
    if (row === undefined) throw new AkashiError('not_found', `no event ${id}`)
    return row
  })
}

/** The remediation of an event, and the key of its row in the trail; an event without one is open. */
export async function readRemediation(
  database: Database,
  actor: Actor,
  eventId: string,
): Promise<Pick<Remediation, 'status' | 'notes' | 'assignee'> & { readonly recordId: string | null }> {
  const id = parseQuery(z.guid('is not a UUID'), eventId)
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Pick<Remediation, 'status' | 'notes' | 'assignee'> & { recordId: string | null }>(
        `select coalesce(r.remediation_status, 'open') as status, r.remediation_notes as notes, r.assignee,
                case when r.event_id is not null then akashi_audit.record_key(to_jsonb(r), array['event_id', 'event_created_at']) end as "recordId"
         from (select $1::uuid as id) asked
         left join akashi_security.remediations r on r.event_id = asked.id
         where r.event_id is not null or exists (select from akashi_security.security_events e where e.id = asked.id)`,
        [id],
      ),
    { readOnly: true },
  )
  const [row] = rows
  if (row === undefined) throw new AkashiError('not_found', `no event ${id}`)
  return row
}
