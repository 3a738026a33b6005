/** Results of delivering events: one row per attempt, append-only. */
import type { Session } from '../postgres/index.ts'

export async function recordHookResults(
  session: Session,
  hook: { readonly name: string; readonly type: string },
  events: readonly { readonly id: string; readonly at: string; readonly position: number }[],
  outcome: {
    readonly attempt: number
    readonly result: 'success' | 'failure'
    readonly ms: number
    /** Status code of HTTP or SMTP. */
    readonly code: number | null
    readonly error: string | null
  },
): Promise<void> {
  await session.query(
    `insert into akashi_security.security_event_hook_results
       (event_id, event_created_at, hook_name, hook_type, attempt, result, duration_ms, response_code, error_message, detail)
     select m.id, m.at, $2, $3, $4, $5, $6, $7, $8, jsonb_build_object('position', m.position)
     from jsonb_to_recordset($1::jsonb) m (id uuid, at timestamptz, position bigint)`,
    [
      JSON.stringify(events.map(({ id, at, position }) => ({ id, at, position }))),
      hook.name,
      hook.type,
      outcome.attempt,
      outcome.result,
      Math.round(outcome.ms),
      outcome.code,
      outcome.error,
    ],
  )
}
