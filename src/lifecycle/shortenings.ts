/** Shorter retentions of logs: each waits for its time, and is an alarm meanwhile. */
import type { Actor, Database } from '../postgres/index.ts'

export interface Shortening {
  /** `schema.table` */
  readonly table: string
  readonly from: string
  readonly to: string
  readonly requestedBy: string
  /** RFC 3339 */
  readonly effectiveAt: string
}

/** Those that are not in effect yet. */
export async function pendingShortenings(database: Database, actor: Actor): Promise<Shortening[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Shortening>(
        `select s.schema_name || '.' || s.table_name as "table",
                case p.at_expiry when 'keep' then 'no end' else p.total_retention::text end as "from",
                s.total_retention::text as "to", s.requested_by as "requestedBy", s.effective_at as "effectiveAt"
         from akashi_lifecycle.shortenings s join akashi_lifecycle.policies p using (schema_name, table_name)
         order by 1`,
      ),
    { readOnly: true },
  )
  return rows
}

/** One line that says what to stop. */
export function describeShortening({ table, from, to, requestedBy, effectiveAt }: Shortening): string {
  return `${requestedBy} shortened the retention of ${table} from ${from} to ${to}, in effect from ${effectiveAt}`
}

/** Puts those into effect whose time has come. */
export async function applyShortenings(database: Database, actor: Actor): Promise<void> {
  await database.transaction(actor, (session) => session.query('select akashi_lifecycle.apply_shortenings()'))
}
