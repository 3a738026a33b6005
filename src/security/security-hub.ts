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
  readonly position: number
  readonly hubId: string
  readonly status: RemediationState
  readonly notes: string | null
}

/** Rows of the trail per read. */
const SCANNED_ROWS = 2_000
/** Changes per read; each is a request. */
const MAX_CHANGES = 10

/**
 * Remediations of events that Security Hub has, as they are now, that changed at or after a position of the trail. By
 * position and not by time, since a change with an earlier time may be committed later.
 *
 * @returns also the position to continue from
 */
export async function changedRemediations(
  session: Session,
  first: number,
): Promise<{
  readonly changes: readonly ChangedRemediation[]
  readonly end: number
  readonly isLast: boolean
}> {
  const size = await session.query<{ size: number }>(
    `select akashi_audit.sealed_size('audit_logs')::float8 as size`,
  )
  const waiting = Math.max(0, (size.rows[0]?.size ?? 0) - first)
  const scanned = Math.min(waiting, SCANNED_ROWS)
  const { rows } = await session.query<ChangedRemediation>(
    `select c.ledger_position::float8 as position, r.security_hub_id as "hubId", r.remediation_status as status,
       r.remediation_notes as notes
     from akashi_audit.changed_records('akashi_security', 'remediations', $1, $2) c
     join akashi_security.remediations r on r.event_id = (c.record_id::jsonb ->> 0)::uuid
     where r.security_hub_id is not null and (r.remediation_status <> 'open' or r.remediation_notes is not null)
     order by c.ledger_position limit $3`,
    [first, scanned, MAX_CHANGES],
  )
  const last = rows.length === MAX_CHANGES ? rows.at(-1) : undefined
  const end = last === undefined ? first + scanned : last.position + 1
  const changes = [...new Map(rows.map((row) => [row.hubId, row])).values()]
  return { changes, end, isLast: end === first + waiting }
}
