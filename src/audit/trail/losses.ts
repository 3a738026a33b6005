import type { Actor, Database } from '../../postgres/index.ts'

/** Statements on one table whose changes were made but not recorded, and that are not settled. */
export interface Loss {
  /** `schema.table` */
  readonly table: string
  readonly operation: string
  readonly statements: number
  /** Rows that they changed, as far as it is known. */
  readonly rows: number
  /** ISO 8601 in UTC. */
  readonly firstAt: string
  readonly lastAt: string
  /** SQLSTATE and message of the last one. */
  readonly sqlstate: string
  readonly message: string
}

/**
 * Losses that are not settled, the latest first. Tables protected with `onFailure: 'record_loss'` have them
 * when the trail could not be written.
 *
 * @param database of the role `worker`, `security_admin` or `owner`
 */
export async function unsettledLosses(database: Database, actor: Actor): Promise<Loss[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Loss>(
        `select schema_name || '.' || table_name as "table", operation, count(*)::integer as statements,
                coalesce(sum(row_count), 0)::float8 as rows, min(created_at) as "firstAt", max(created_at) as "lastAt",
                (array_agg(sqlstate order by created_at desc))[1] as sqlstate,
                (array_agg(message order by created_at desc))[1] as message
         from akashi_audit.losses where settled_at is null
         group by schema_name, table_name, operation order by max(created_at) desc`,
      ),
    { readOnly: true },
  )
  return rows
}

/** Records new losses in the trail and raises an event for each. Returns how many. */
export async function reportLosses(database: Database, actor: Actor): Promise<number> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ reported: number }>('select akashi_audit.report_losses() as reported'),
  )
  return rows[0]?.reported ?? 0
}

/** Records the explanation of the present losses, which stay on record. Returns how many. */
export async function settleLosses(database: Database, actor: Actor, explanation: string): Promise<number> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ settled: number }>('select akashi_audit.settle_losses($1) as settled', [explanation]),
  )
  return rows[0]?.settled ?? 0
}
