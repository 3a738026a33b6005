/** What AWS Security Hub knows of events. */
import type { RemediationState } from '@akashi/contract'
import type { Session } from '../postgres/index.ts'

/** Keeps the id of events in Security Hub, beside what is done about them. */
export async function noteSecurityHubId(
  session: Session,
  events: readonly { readonly id: string; readonly at: string; readonly hubId: string }[],
): Promise<void> {
  await session.query(
    `insert into akashi_security.remediations as r (event_id, event_created_at, security_hub_id)
     select m.id, m.at, m."hubId" from jsonb_to_recordset($1::jsonb) m (id uuid, at timestamptz, "hubId" text)
     on conflict (event_id, event_created_at) do update set security_hub_id = excluded.security_hub_id
     where r.security_hub_id is distinct from excluded.security_hub_id`,
    [JSON.stringify(events)],
  )
}

interface ChangedRemediation {
  readonly hubId: string
  readonly status: RemediationState
  readonly notes: string | null
  readonly updatedAt: string
}

/** Remediations of events that Security Hub has, changed after a time, oldest first. */
export async function changedRemediations(
  session: Session,
  after: string,
  limit: number,
): Promise<ChangedRemediation[]> {
  const { rows } = await session.query<ChangedRemediation>(
    `select security_hub_id as "hubId", remediation_status as status, remediation_notes as notes, updated_at as "updatedAt"
     from akashi_security.remediations where security_hub_id is not null and updated_at > $1::timestamptz
       and (remediation_status <> 'open' or remediation_notes is not null)
     order by updated_at limit $2`,
    [after, limit],
  )
  return rows
}
