/** Which rows of a log's table wait to be sealed, and how many of them one batch takes. */
import type { ColumnForm } from '@akashi/contract'
import type { LogDefinition } from './logs.ts'

/** Rows that one batch takes at most. */
export const SEAL_BATCH_ROWS = 10_000

/**
 * Bytes of text that one batch hashes, above the first row: the largest row that is recorded has 64 MiB. Rows that
 * print as less than was estimated make a batch smaller, never larger; see {@link sizeSql} for the exception.
 */
export const SEAL_BATCH_BYTES = 64 * 1024 * 1024

/**
 * Which rows wait. ended: those past the frontier whose transactions had all ended. before: those past it that were
 * numbered up to a floor, which is right only when all of them are committed. moved: what another cluster wrote up to
 * the floor without an entry; its transactions count anew, and so lie before the frontier.
 */
export type Waiting = 'ended' | 'before' | 'moved'

/** Values of the statements here, by their place. */
export const waitingParameters = {
  log: '$1',
  xid: '$2',
  seq: '$3',
  size: '$4',
  rows: '$5',
  /** Rows up to this seq belong to earlier epochs. */
  floor: '$6',
  /** `before` and `moved`: rows above this seq belong to the next epoch. */
  until: '$7',
} as const

/** Rows behind (xid, seq) that were written in this epoch. */
export function waitingRowsSql(
  log: LogDefinition,
  which: Waiting,
  { xid, seq, floor, until }: Record<'xid' | 'seq' | 'floor' | 'until', string> = waitingParameters,
): string {
  const table = `${log.schema}.${log.table}`
  if (which === 'moved') {
    return `
      select r.* from ${table} r
      where (r.xid, r.seq) <= (${xid}::xid8, ${seq}::bigint) and r.seq > ${floor}::bigint and r.seq <= ${until}::bigint
        and not exists (select from akashi_audit.ledger_entries e where e.log = '${log.log}' and e.row_id = r.id)`
  }
  return `
      select r.* from ${table} r
      where (r.xid, r.seq) > (${xid}::xid8, ${seq}::bigint) and r.seq > ${floor}::bigint
        ${which === 'ended' ? 'and r.xid < (select pg_snapshot_xmin(pg_current_snapshot()))' : `and r.seq <= ${until}::bigint`}`
}

/**
 * The batch, for WITH: `taken` has its number of rows as `n`, `batch` the rows in order. Measuring stops at the first row
 * that does not fit, since a window over rows that come in order is computed as they are read.
 */
export function batchSql(log: LogDefinition, which: Waiting): string {
  const { rows } = waitingParameters
  const waiting = waitingRowsSql(log, which)
  return `
    taken as materialized (
      select coalesce((
        select greatest(place - 1, 1)
        from (
          select row_number() over running as place, sum(bytes) over running as total
          from (
            select r.xid, r.seq, ${sizeSql(log)} as bytes from (${waiting}) r order by r.xid, r.seq limit ${rows}
          ) measured
          window running as (order by xid, seq rows unbounded preceding)
        ) fitting
        where total > ${SEAL_BATCH_BYTES} limit 1
      ), ${rows}::bigint) as n
    ), batch as (
      select * from (${waiting} order by r.xid, r.seq limit ${rows}) r limit (select n from taken)
    )`
}

/** Bytes of columns that are neither text nor json; none is longer. */
const SCALAR_BYTES = 64
/** A byte of jsonb is a control character at worst, which prints as \u0001. */
const PRINTED_BYTES_PER_BYTE = 6

/**
 * Bytes of the text of a row. Exact for text and for compressed values, which are expanded for it; an upper bound for
 * others, except for numbers with huge exponents, whose batches run into the time limit and are halved.
 */
function sizeSql(log: LogDefinition): string {
  const columns = Object.entries(log.columns)
  const scalars = columns.filter(([, form]) => sizeOf[form] === undefined).length
  const sizes = columns.flatMap(([name, form]) => {
    const size = sizeOf[form]?.(`r."${name}"`)
    return size === undefined ? [] : [`coalesce(${size}, 0)`]
  })
  return [...sizes, `${scalars * SCALAR_BYTES}::bigint`].join(' + ')
}

const printed = (column: string) =>
  `case when pg_column_compression(${column}) is null then ${PRINTED_BYTES_PER_BYTE} * pg_column_size(${column}) else octet_length(${column}::text) end`

/** Text in PostgreSQL has its length before it is expanded. */
const sizeOf: Partial<Record<ColumnForm, (column: string) => string>> = {
  text: (column) => `octet_length(${column})`,
  bytes: (column) => `2 * octet_length(${column})`,
  json: printed,
  'text[]': printed,
}
