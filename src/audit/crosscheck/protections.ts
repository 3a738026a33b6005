/** Which tables are protected, and how, at a position of the write-ahead log. */
import type { Session } from '../../postgres/index.ts'

export interface Protection {
  readonly schema: string
  readonly table: string
  readonly key: readonly string[]
  readonly ignored: readonly string[]
  /** Columns that the trail has as digests. */
  readonly digested: readonly string[]
  /** Columns that the trail leaves out. */
  readonly omitted: readonly string[]
}

export const PROTECTED_TABLES = { schema: 'akashi_audit', table: 'protected_tables' } as const

export async function readProtections(session: Session): Promise<Protection[]> {
  const { rows } = await session.query<Protection>(
    `select schema_name as schema, table_name as "table", key_columns as key, ignored_columns as ignored, digest_columns as digested,
            omitted_columns as omitted
     from akashi_audit.protected_tables order by 1, 2`,
  )
  return rows
}

/** A unique key for the name of a table. */
export function nameOf(schema: string, table: string): string {
  return JSON.stringify([schema, table])
}
