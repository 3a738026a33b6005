import type { TableHold } from '@akashi/contract'
import { searchTrail, type TrailRow } from '../audit/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

export interface Hold {
  readonly schema: string
  readonly table: string
  /** False ends the hold. */
  readonly held: boolean
  /** Recorded in the audit trail; blank ones are refused. */
  readonly reason: string
}

/**
 * Places or releases a legal hold, during which nothing of the table is dropped, retired or deleted.
 *
 * @throws AkashiError not_found when the table has no policy; invalid_input without a reason
 */
export async function holdTable(database: Database, actor: Actor, hold: Hold): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.hold($1, $2, $3, $4)', [
      hold.schema,
      hold.table,
      hold.held,
      hold.reason,
    ]),
  )
}

/** Events of each kind that are listed. */
const HISTORY_ROWS = 200

/** Tables that are or were under legal hold, with who placed and released it and why, as the trail has it. */
export async function listHolds(database: Database, actor: Actor): Promise<TableHold[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ table: string; resource: string; held: boolean }>(
        `select schema_name || '.' || table_name as "table", format('%I.%I', schema_name, table_name) as resource, legal_hold as held
         from akashi_lifecycle.policies order by 1`,
      ),
    { readOnly: true },
  )
  const told: (TrailRow & { readonly action: 'hold' | 'release' })[] = []
  for (const action of ['hold', 'release'] as const) {
    const page = await searchTrail(database, actor, { eventType: 'archive', action, limit: HISTORY_ROWS })
    told.push(...page.rows.map((row) => ({ ...row, action })))
  }
  return rows
    .map(({ table, resource, held }) => ({
      table,
      held,
      history: told
        .filter((row) => row.resource === resource)
        .map(({ createdAt, action, userId, subject, dbUser, detail }) => ({
          at: createdAt,
          action,
          by: userId ?? subject ?? dbUser,
          reason: reasonOf(detail),
        }))
        .sort((a, b) => b.at.localeCompare(a.at)),
    }))
    .filter(({ held, history }) => held || history.length > 0)
}

function reasonOf(detail: unknown): string | null {
  const found = typeof detail === 'object' && detail !== null ? Reflect.get(detail, 'reason') : undefined
  return typeof found === 'string' ? found : null
}
