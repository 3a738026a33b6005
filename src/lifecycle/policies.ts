import type { RetentionPolicy } from '@akashi/contract'
import { AkashiError } from '../foundation/index.ts'
import { type Actor, type Database, SQLSTATE, sqlState } from '../postgres/index.ts'

/** Only given fields change. Durations are PostgreSQL intervals, such as `90 days`. */
export interface PolicyChanges {
  /** Only for a table without a policy. */
  readonly interval?: RetentionPolicy['interval'] | undefined
  readonly ahead?: number | undefined
  readonly hot?: string | undefined
  readonly atExpiry?: RetentionPolicy['atExpiry'] | undefined
  readonly total?: string | undefined
  readonly lateness?: string | undefined
  readonly format?: RetentionPolicy['format'] | undefined
}

const columns = `
  schema_name || '.' || table_name as "table", interval, premake as ahead, hot_retention::text as hot,
  at_expiry as "atExpiry", total_retention::text as total, lateness::text as lateness, format,
  (select jsonb_build_object('total', s.total_retention, 'atExpiry', s.at_expiry, 'requestedBy', s.requested_by,
     'requestedAt', to_jsonb(s.requested_at at time zone 'UTC') #>> '{}' || 'Z', 'effectiveAt', to_jsonb(s.effective_at at time zone 'UTC') #>> '{}' || 'Z',
     'reason', s.reason)
   from akashi_lifecycle.shortenings s where (s.schema_name, s.table_name) = (p.schema_name, p.table_name)) as shortening,
  append_only as "appendOnly", legal_hold as "legalHold", updated_at as "changedAt",
  last_modified_by as "changedBy"`

/** Every policy, ordered by table. */
export async function listPolicies(database: Database, actor: Actor): Promise<RetentionPolicy[]> {
  return await database.transaction(
    actor,
    async (session) =>
      (
        await session.query<RetentionPolicy>(
          `select ${columns} from akashi_lifecycle.policies p order by schema_name, table_name`,
        )
      ).rows,
    { readOnly: true },
  )
}

/**
 * Changes the policy of a partitioned table, or creates it, and records that in the audit trail. A shorter retention of a
 * log is not below the floor and takes effect after the delay (`shortening`).
 *
 * @param reason recorded in the audit trail
 * @throws AkashiError not_found when there is no such table or policy; invalid_input for contradictory changes;
 *   conflict for what can no longer be changed
 */
export async function setPolicy(
  database: Database,
  actor: Actor,
  name: { readonly schema: string; readonly table: string },
  changes: PolicyChanges,
  reason?: string,
): Promise<RetentionPolicy> {
  const { ahead, hot, atExpiry, total, ...rest } = changes
  const named = { ...rest, premake: ahead, hot_retention: hot, at_expiry: atExpiry, total_retention: total }
  const work = database.transaction(actor, async (session) => {
    await session.query('select akashi_lifecycle.set_policy($1, $2, $3::jsonb, $4)', [
      name.schema,
      name.table,
      JSON.stringify(named),
      reason ?? null,
    ])
    const { rows } = await session.query<RetentionPolicy>(
      `select ${columns} from akashi_lifecycle.policies p where (schema_name, table_name) = ($1, $2)`,
      [name.schema, name.table],
    )
    const [policy] = rows
    if (policy === undefined) throw new Error('the policy was not returned')
    return policy
  })
  return await work.catch((error: unknown) => {
    if (sqlState(error) !== SQLSTATE.invalidDatetime) throw error
    throw new AkashiError('invalid_input', 'a duration in the policy is not valid', {
      hint: 'write it as "90 days" or P90D',
      cause: error,
    })
  })
}
