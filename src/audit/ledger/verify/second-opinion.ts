/**
 * Hashes rows in this process as well, because an attacker may have replaced code of the server: a sample in each
 * verification, all rows on request.
 */
import { randomInt } from 'node:crypto'
import { AkashiError } from '../../../foundation/index.ts'
import type { Session } from '../../../postgres/index.ts'
import { parseArray } from '../../../postgres/index.ts'
import { entryHash, type RowText } from '../encoding.ts'
import type { LogDefinition } from '../logs.ts'
import type { LogVerification } from './log-verification.ts'
import type { ProblemList } from './problems.ts'

/** Rows of each log that a verification hashes here. */
export const SAMPLED_ROWS = 1_000

/** Rows that are read at a time. */
const PAGE_ROWS = 1_000

/** Largest number that randomInt takes. */
const MAX_RANDOM = 2 ** 48 - 1

/**
 * Hashes rows from position `from` on in this process, compares them with their entries and returns their number.
 * Differences that the server reported are not reported again.
 *
 * @param which all rows, or a random sample of {@link SAMPLED_ROWS}
 */
export async function hashRowsLocally(
  { session, log, head, options: { signal }, problems }: LogVerification,
  from: bigint,
  which: 'all' | 'sample',
): Promise<number> {
  let hashed = 0
  for (const positions of which === 'all' ? pages(from, head.size) : [sample(from, head.size)]) {
    signal?.throwIfAborted()
    hashed += await compare(session, log, positions, problems)
  }
  return hashed
}

function* pages(from: bigint, to: bigint): Generator<readonly bigint[]> {
  for (let first = from; first < to; first += BigInt(PAGE_ROWS)) {
    const rows = Number(to - first < BigInt(PAGE_ROWS) ? to - first : BigInt(PAGE_ROWS))
    yield Array.from({ length: rows }, (_, index) => first + BigInt(index))
  }
}

/** All positions of a small log, otherwise random ones. */
function sample(from: bigint, to: bigint): readonly bigint[] {
  const entries = to - from
  if (entries <= BigInt(SAMPLED_ROWS)) return [...pages(from, to)].flat()
  const range = entries < BigInt(MAX_RANDOM) ? Number(entries) : MAX_RANDOM
  return Array.from({ length: SAMPLED_ROWS }, () => from + BigInt(randomInt(range)))
}

async function compare(
  session: Session,
  log: LogDefinition,
  positions: readonly bigint[],
  problems: ProblemList,
): Promise<number> {
  const columns = Object.entries(log.columns).map(([name, form]) =>
    form === 'time' || form === 'inet' ? `r."${name}"` : `r."${name}"::text as "${name}"`,
  )
  const { rows } = await session.query<Record<string, string | Buffer | null>>(
    `select e.position::text as "entry position", e.entry_hash as "entry hash", ${columns.join(', ')}
     from akashi_audit.ledger_entries e join ${log.schema}.${log.table} r on r.id = e.row_id and r.created_at = e.created_at
     where e.log = $1 and e.position = any ($2::bigint[])`,
    [log.log, positions.map(String)],
  )
  for (const { 'entry position': position, 'entry hash': hash, ...values } of rows) {
    if (Buffer.isBuffer(hash) && hashOf(log, values)?.equals(hash) === true) continue
    const known = problems.listed.some(
      (problem) => problem.kind === 'changed' && problem.position === position,
    )
    if (known) continue
    const id = typeof values['id'] === 'string' ? values['id'] : null
    problems.add(
      'changed',
      String(position),
      id,
      `row ${id} of ${log.schema}.${log.table} differs from what was sealed, although the server reports no difference`,
    )
  }
  return rows.length
}

/** null for a row that cannot be encoded, which was never sealed. */
function hashOf(log: LogDefinition, values: Readonly<Record<string, string | Buffer | null>>): Buffer | null {
  try {
    return entryHash(log, textOf(log, values))
  } catch (error) {
    if (error instanceof AkashiError || error instanceof RangeError) return null
    throw error
  }
}

/** Arrays as lists of texts; arrays that are not plain lists as printed. */
function textOf(log: LogDefinition, values: Readonly<Record<string, string | Buffer | null>>): RowText {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (value === null || Buffer.isBuffer(value)) return [name, null]
      return [name, log.columns[name] === 'text[]' ? listOf(value) : value]
    }),
  )
}

function listOf(text: string): string | readonly string[] {
  const elements = text.startsWith('{') ? parseArray(text, (element) => element) : []
  const list = elements.filter((element) => typeof element === 'string')
  return text.startsWith('{') && list.length === elements.length ? list : text
}
