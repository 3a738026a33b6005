import type { CopyPolicy } from '@akashi/contract'
import { AkashiError } from '../foundation/index.ts'
import { type Actor, type Database, SQLSTATE, sqlState } from '../postgres/index.ts'

/** A name that a destination, tenant or class cannot have. */
const CHECK_VIOLATION = '23514'

const columns = `
  p.id, p.schema_name || '.' || p.table_name as "table", p.tenant, p.class, p.destination, p.total_retention::text as total,
  p.ended_at as "endedAt", p.updated_at as "changedAt", p.last_modified_by as "changedBy"`

/** Every policy of copies, ended ones included, ordered by table and destination. */
export async function listCopyPolicies(database: Database, actor: Actor): Promise<CopyPolicy[]> {
  return await database.transaction(
    actor,
    async (session) =>
      (
        await session.query<CopyPolicy>(
          `select ${columns} from akashi_lifecycle.copy_policies p
           order by p.schema_name, p.table_name, p.destination, p.tenant nulls first, p.class nulls first`,
        )
      ).rows,
    { readOnly: true },
  )
}

/** Which rows are copied where, and how long they are kept there; `total` null ends the copying. */
export interface CopyPolicyChange {
  readonly tenant: string | null
  readonly class: string | null
  readonly destination: string
  /** A PostgreSQL interval, such as `3 years`. */
  readonly total: string | null
}

/**
 * Copies a part of a table's archive to a destination, also of what is archived already, and records that in the audit
 * trail. Copies that were made stay for as long as was promised when they were made.
 *
 * @throws AkashiError not_found when there is no such table or policy; invalid_input; conflict when it is not archived
 */
export async function setCopyPolicy(
  database: Database,
  actor: Actor,
  name: { readonly schema: string; readonly table: string },
  { tenant, class: kind, destination, total }: CopyPolicyChange,
  reason?: string,
): Promise<CopyPolicy> {
  const work = database.transaction(actor, async (session) => {
    const { rows } = await session.query<CopyPolicy>(
      `select ${columns} from akashi_lifecycle.set_copy_policy($1, $2, $3, $4, $5, $6::interval, $7) p`,
      [name.schema, name.table, tenant, kind, destination, total, reason ?? null],
    )
    const [policy] = rows
    if (policy === undefined) throw new Error('the policy was not returned')
    return policy
  })
  return await work.catch((error: unknown) => {
    const state = sqlState(error)
    if (state !== SQLSTATE.invalidDatetime && state !== CHECK_VIOLATION) throw error
    throw new AkashiError('invalid_input', 'the policy of the copy is not valid', {
      hint: 'a destination is a name such as cold, a duration is written as "3 years" or P3Y',
      cause: error,
    })
  })
}
