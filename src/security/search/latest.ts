import type { Actor, Database } from '../../postgres/index.ts'

export interface LatestEvent {
  readonly at: string
  readonly status: 'open' | 'in_progress' | 'resolved' | 'suppressed'
}

/**
 * When an event of a type was last recorded of a user, and how far its remediation is; null where there is none within
 * the days.
 */
export async function latestEventOf(
  database: Database,
  actor: Actor,
  { type, userId, days }: { readonly type: string; readonly userId: string; readonly days: number },
): Promise<LatestEvent | null> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<LatestEvent>(
        `select to_char(e.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
           coalesce(r.remediation_status, 'open') as status
         from akashi_security.security_events e
         left join akashi_security.remediations r on r.event_id = e.id and r.event_created_at = e.created_at
         where e.user_id = $1 and e.event_type = $2 and e.created_at > now() - make_interval(days => $3)
         order by e.created_at desc limit 1`,
        [userId, type, days],
      ),
    { readOnly: true },
  )
  return rows[0] ?? null
}
