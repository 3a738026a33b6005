/** Sealed rows in the order of their entries, for copies that are kept elsewhere. */
import { AkashiError, given } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { entryHash } from './encoding.ts'
import type { LogDefinition } from './logs.ts'
import { bundleColumnSql } from './proof-bundle.ts'

const PAGE_ROWS = 2_000

export interface SealedRow {
  /** Index of the entry in the log, a decimal. */
  readonly position: string
  /** Hash of the entry, hex. */
  readonly hash: string
  /** The columns that are not NULL, as text: as a proof's bundle writes them. */
  readonly row: Readonly<Record<string, string | readonly string[]>>
}

/**
 * Rows of the entries from one position to before another. One whose partition has left the database is passed
 * over: the archive has it.
 * @throws integrity when a row is not what was sealed
 */
export async function* sealedRows(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  range: { readonly from: bigint; readonly to: bigint },
  signal?: AbortSignal,
): AsyncGenerator<SealedRow> {
  const columns = Object.entries(log.columns).map(([name, form]) => bundleColumnSql(name, form))
  const text = `
    select e.position::text as "entry position", e.entry_hash as "entry hash", ${columns.join(', ')}
    from akashi_audit.ledger_entries e
    join ${log.schema}.${log.table} r on r.id = e.row_id and r.created_at = e.created_at
    where e.log = $1 and e.position >= $2 and e.position < $3 order by e.position`
  for (let from = range.from; from < range.to; from += BigInt(PAGE_ROWS)) {
    const to = from + BigInt(PAGE_ROWS) < range.to ? from + BigInt(PAGE_ROWS) : range.to
    const { rows } = await database.transaction(
      actor,
      (session) =>
        session.query<Record<string, string | string[] | Buffer | null>>(text, [
          log.log,
          from.toString(),
          to.toString(),
        ]),
      { readOnly: true, timeoutMs: 0, ...given({ signal }) },
    )
    for (const { 'entry position': position, 'entry hash': hash, ...values } of rows) {
      const row = Object.fromEntries(
        Object.entries(values).filter(
          (column): column is [string, string | string[]] =>
            column[1] !== null && !Buffer.isBuffer(column[1]),
        ),
      )
      if (!Buffer.isBuffer(hash) || !entryHash(log, row).equals(hash)) {
        throw new AkashiError('integrity', `entry ${String(position)} of ${log.log} is not what was sealed`, {
          hint: 'run akashi verify',
        })
      }
      yield { position: String(position), hash: hash.toString('hex'), row }
    }
  }
}
