/** Checks all tables and indexes of a recovered database with amcheck. */
import { AkashiError, given } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'

export interface StructureCheck {
  readonly tables: number
  readonly indexes: number
  /** `schema.relation: what is wrong`, the first of each relation. */
  readonly problems: readonly string[]
}

const relations = `
  select format('%I.%I', n.nspname, c.relname) as name, c.oid::bigint::float8 as oid,
         c.relkind in ('r', 'm', 't') as "isTable"
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_index i on i.indexrelid = c.oid left join pg_am a on a.oid = c.relam
  where c.relpersistence = 'p' and (c.relkind in ('r', 'm', 't') or (c.relkind = 'i' and a.amname = 'btree' and i.indisvalid))
  order by 1`

/** @param database of a superuser; creates the extension amcheck if missing */
export async function checkStructure(database: Database, signal?: AbortSignal): Promise<StructureCheck> {
  return await database.direct(
    async (session) => {
      await session.query('create extension if not exists amcheck schema pg_catalog')
      const { rows } = await session.query<{ name: string; oid: number; isTable: boolean }>(relations)
      const problems: string[] = []
      for (const { name, oid, isTable } of rows) {
        const problem = isTable
          ? (
              await session.query<{ problem: string }>(
                `select format('block %s: %s', blkno, msg) as problem
                 from verify_heapam($1::oid::regclass, on_error_stop := true, check_toast := true) limit 1`,
                [oid],
              )
            ).rows[0]?.problem
          : await session
              .query('select bt_index_check($1::oid::regclass, heapallindexed => true)', [oid])
              .then(() => undefined, damageOf)
        if (problem !== undefined) problems.push(`${name}: ${problem}`)
      }
      return {
        tables: rows.filter(({ isTable }) => isTable).length,
        indexes: rows.filter(({ isTable }) => !isTable).length,
        problems,
      }
    },
    given({ timeoutMs: 0, signal }),
  )
}

/** amcheck reports index damage as errors of class XX (index_corrupted, data_corrupted). */
function damageOf(error: unknown): string {
  if (error instanceof AkashiError && !['cancelled', 'unavailable', 'timeout'].includes(error.code)) {
    return error.message
  }
  throw error
}
