/** Entries of one log by the time of their rows, for copies that are kept elsewhere. */
import type { Session } from '../../postgres/index.ts'

export interface EntryRange {
  readonly log: string
  /** Bounds of `created_at`, RFC 3339; the upper one exclusive. */
  readonly from: string
  readonly to: string
}

/** Positions are decimals; null where the range has no entry. */
export interface EntryCount {
  readonly rows: number
  readonly first: string | null
  readonly last: string | null
}

const RANGE = 'log = $1 and created_at >= $2 and created_at < $3'

/** How many entries of a range lie after one position and before another. */
export async function countEntries(
  session: Session,
  { log, from, to }: EntryRange,
  { after, before }: { readonly after: string | null; readonly before: bigint },
): Promise<EntryCount> {
  const { rows } = await session.query<EntryCount>(
    `select count(*)::float8 as rows, min(position)::text as first, max(position)::text as last
     from akashi_audit.ledger_entries where ${RANGE} and position > $4::bigint and position < $5::bigint`,
    [log, from, to, after ?? '-1', before.toString()],
  )
  return rows[0] ?? { rows: 0, first: null, last: null }
}

/** Whether a range has more entries than so many, without counting on. */
export async function hasMoreEntries(
  session: Session,
  { log, from, to }: EntryRange,
  most: number,
): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>(
    `select count(*) > $4 as found from (select from akashi_audit.ledger_entries where ${RANGE} limit $4 + 1) e`,
    [log, from, to, most],
  )
  return rows[0]?.found === true
}

/** Position of the entry that comes `rows` entries after that at `first`; null when there are fewer. */
export async function positionAfter(
  session: Session,
  { log, from, to }: EntryRange,
  first: string,
  rows: number,
): Promise<string | null> {
  const { rows: found } = await session.query<{ position: string }>(
    `select e.position::text from akashi_audit.ledger_entries e where ${RANGE} and position >= $4::bigint
     order by e.position offset $5 limit 1`,
    [log, from, to, first, rows],
  )
  return found[0]?.position ?? null
}

/** COPY of position and row id of the entries between two positions, in ascending position, as CSV. */
export function entriesCopySql(
  { log, from, to }: EntryRange,
  positions: { readonly first: string; readonly last: string },
  limit: number,
): string {
  const [logText, fromText, toText] = [log, from, to].map((value) => `'${value.replaceAll("'", "''")}'`)
  return `copy (select position, row_id from akashi_audit.ledger_entries
    where log = ${logText} and position between ${BigInt(positions.first)} and ${BigInt(positions.last)}
      and created_at >= ${fromText} and created_at < ${toText}
    order by position limit ${limit}) to stdout (format csv)`
}
