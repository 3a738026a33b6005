import type { Session } from '../../../postgres/index.ts'
import { postgresEntrySql } from '../encoding.ts'
import type { LogDefinition } from '../logs.ts'
import type { Head } from '../store.ts'
import { MAX_PROBLEMS, type ProblemList } from './problems.ts'

/** A committed row this old that no sealer took is a problem and no longer a delay, in seconds. */
export const UNSEALED_AFTER_S = 300

interface Mismatch {
  readonly kind: 'changed' | 'removed' | 'added' | 'unsealed'
  readonly position: string | null
  readonly id: string
  readonly at: string
  readonly total: string
}

/** Compares every row of a log's table with its entry, inside the server. Answers how many rows were hashed. */
export async function verifyRows(
  session: Session,
  log: LogDefinition,
  head: Head,
  problems: ProblemList,
): Promise<number> {
  const { rows } = await session.query<Mismatch & { readonly checked: string }>(rowsSql(log), [
    log.log,
    head.lastXid,
    head.lastSeq,
    UNSEALED_AFTER_S,
    MAX_PROBLEMS,
  ])
  let checked = 0
  for (const row of rows) {
    checked = Number(row.checked)
    if (row.kind !== null) problems.add(row.kind, row.position, row.id, describe(log, row))
  }
  const total = Number(rows[0]?.total ?? 0)
  if (total > MAX_PROBLEMS) problems.unlisted += total - MAX_PROBLEMS
  return checked
}

function describe(log: LogDefinition, row: Mismatch): string {
  const table = `${log.schema}.${log.table}`
  switch (row.kind) {
    case 'changed':
      return `row ${row.id} of ${table} is not what was sealed`
    case 'removed':
      return `row ${row.id} of ${table} (${row.at}) is gone`
    case 'added':
      return `row ${row.id} of ${table} (${row.at}) was put below the sealed frontier`
    case 'unsealed':
      return `row ${row.id} of ${table} (${row.at}) was never sealed`
  }
}

/**
 * One pass over rows and entries. A row joins its entry by id alone, so that a changed time shows as a
 * change and not as a removal and an addition.
 */
function rowsSql(log: LogDefinition): string {
  const entry = postgresEntrySql(log)
  const arrived = 'received_at' in log.columns ? 'received_at' : 'created_at'
  return `
    with hashed as (
      select id, created_at, arrived, xid, seq, ${entry.hash} as entry_hash
      from (select r.id, r.created_at, r.${arrived} as arrived, r.xid, r.seq, ${entry.texts}
            from ${log.schema}.${log.table} r offset 0) t
    ), compared as (
      select case
          when h.id is null then 'removed'
          when e.row_id is not null and e.entry_hash <> h.entry_hash then 'changed'
          when e.row_id is null and (h.xid, h.seq) <= ($2::xid8, $3::bigint) then 'added'
          when e.row_id is null and (h.xid >= pg_snapshot_xmax(pg_current_snapshot())
            or (h.xid < pg_snapshot_xmin(pg_current_snapshot()) and h.arrived < now() - make_interval(secs => $4::integer)))
            then 'unsealed'
        end as kind,
        e.position, coalesce(h.id, e.row_id) as id, coalesce(h.created_at, e.created_at) as at, h.id is not null as hashed
      from hashed h
      full join (select * from audit.ledger_entries where log = $1) e on e.row_id = h.id
    ), total as (
      select count(*) filter (where hashed) as checked, count(kind) as total from compared
    )
    select total.checked::text, total.total::text, found.kind, found.position::text, found.id::text, found.at::text
    from total
    left join lateral (
      select * from compared where kind is not null order by position nulls last, at limit $5
    ) found on true`
}
