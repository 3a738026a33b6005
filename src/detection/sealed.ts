/** The sealed part of a log. */
import type { Session } from '../postgres/index.ts'
import { schemaOf } from './history.ts'
import type { SourceTable } from './rule/ast.ts'

/** How many rows of a log are sealed. */
export async function sealedSize(session: Session, log: SourceTable): Promise<number> {
  const { rows } = await session.query<{ size: number }>(
    'select akashi_audit.sealed_size($1)::float8 as size',
    [log],
  )
  return rows[0]?.size ?? 0
}

export interface Bounds {
  /** created_at of the first and the last row, in microseconds. */
  readonly first: number
  readonly last: number
  /** Rows that detection itself did not write: recording a run must not require another run. */
  readonly others: number
  /** The range of those that are no longer in PostgreSQL; null if there are none. */
  readonly archived: { readonly first: number; readonly end: number } | null
}

export async function boundsOf(
  session: Session,
  log: SourceTable,
  first: number,
  rows: number,
): Promise<Bounds | null> {
  const own = log === 'audit_logs' ? "r.table_name ^@ 'detection_'" : 'false'
  const found = await session.query<{
    first: number | null
    last: number | null
    others: number
    archivedFirst: number | null
    archivedEnd: number | null
  }>(
    `select (extract(epoch from min(e.created_at)) * 1000000)::float8 as first, (extract(epoch from max(e.created_at)) * 1000000)::float8 as last,
       count(*) filter (where not coalesce(${own}, false))::float8 as others,
       min(e.ledger_position) filter (where r.id is null)::float8 as "archivedFirst",
       (max(e.ledger_position) filter (where r.id is null) + 1)::float8 as "archivedEnd"
     from akashi_audit.rows_from($1, $2, $3) e left join ${schemaOf[log]}.${log} r on (r.id, r.created_at) = (e.row_id, e.created_at)`,
    [log, first, rows],
  )
  const [row] = found.rows
  if (row?.first == null || row.last === null) return null
  const { first: firstAt, last, others, archivedFirst, archivedEnd } = row
  const archived =
    archivedFirst === null || archivedEnd === null ? null : { first: archivedFirst, end: archivedEnd }
  return { first: firstAt, last, others, archived }
}
