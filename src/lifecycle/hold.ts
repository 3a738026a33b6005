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
