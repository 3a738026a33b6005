/** Proofs of many rows of one log at once, for evidence that leaves the installation. */
import type { EvidencePart, EvidenceRow } from '@akashi/client/evidence'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { recordAccess } from '../trail/access.ts'
import { entryHash, type RowText } from './encoding.ts'
import type { LogDefinition } from './logs.ts'
import { type NodeReader, rangeRoot, split } from './merkle.ts'
import { cosignedCheckpoint, nodesOf } from './proof.ts'
import { bundleColumnSql } from './proof-bundle.ts'
import { type Head, readHead } from './store.ts'

export interface RowsQuery {
  readonly log: LogDefinition
  /** Bounds of `created_at`, RFC 3339; the upper one exclusive. */
  readonly from: string
  readonly to: string
  /** Most rows, and most bytes of them as JSON. */
  readonly maxRows: number
  readonly maxBytes: number
  /** Why they are read, recorded in the trail. */
  readonly reason: string
  /** Recorded beside it. */
  readonly asked?: Readonly<Record<string, unknown>>
}

export interface ProvenRows {
  readonly parts: readonly EvidencePart[]
  readonly rows: number
  readonly bytes: number
  /** Entries within the bounds whose rows are not in the database any more. */
  readonly absent: number
}

const PAGE_ROWS = 1_000
/** Rows up to which their ids are recorded. */
const RECORDED_IDS = 100

/**
 * Every sealed row of a time range that is in the database, with what proves them: one part for each checkpoint that is
 * needed, the one with the most cosignatures first. The reading is recorded in the same transaction.
 *
 * @throws AkashiError too_large beyond `maxRows` or `maxBytes`; integrity when a row is not what was sealed
 */
export async function proveRows(
  database: Database,
  actor: Actor,
  query: RowsQuery,
  signal: AbortSignal,
): Promise<ProvenRows> {
  const { log, from, to, reason, asked } = query
  return await database.transaction(
    actor,
    async (session) => {
      const head = await readHead(session, log.log)
      const read =
        head === undefined ? { rows: [], ids: [], bytes: 0, absent: 0 } : await readRows(session, head, query)
      const parts = head === undefined ? [] : await partsOf(session, head, log, read.rows)
      const positions = { first: read.rows[0]?.position, last: read.rows.at(-1)?.position }
      const filter = { evidence: { log: log.log, from, to, rows: read.rows.length, ...positions }, ...asked }
      // The period and the positions say which rows; the trail need not grow by their ids with each reading.
      const ids = read.ids.length <= RECORDED_IDS ? read.ids : []
      await recordAccess(session, `${log.schema}.${log.table}`, filter, ids, reason)
      return { parts, rows: read.rows.length, bytes: read.bytes, absent: read.absent }
    },
    { isolation: 'repeatable read', timeoutMs: 0, signal },
  )
}

interface ReadRows {
  readonly rows: readonly EvidenceRow[]
  readonly ids: readonly { readonly id: string }[]
  readonly bytes: number
  readonly absent: number
}

async function readRows(
  session: Session,
  { size }: Head,
  { log, from, to, maxRows, maxBytes }: RowsQuery,
): Promise<ReadRows> {
  const columns = Object.entries(log.columns).map(([name, form]) => bundleColumnSql(name, form))
  const text = `
    select e.position::text as "entry position", e.entry_hash as "entry hash", r.id is not null as "is here", ${columns.join(', ')}
    from akashi_audit.ledger_entries e
    left join ${log.schema}.${log.table} r on r.id = e.row_id and r.created_at = e.created_at
    where e.log = $1 and e.created_at >= $2 and e.created_at < $3 and e.position > $4::bigint and e.position < $5::bigint
    order by e.position limit ${PAGE_ROWS}`
  const rows: EvidenceRow[] = []
  const ids: { id: string }[] = []
  let [after, bytes, absent] = ['-1', 0, 0]
  for (;;) {
    const page = await session.query<Record<string, string | string[] | Buffer | boolean | null>>(text, [
      log.log,
      from,
      to,
      after,
      size.toString(),
    ])
    for (const { 'entry position': position, 'entry hash': hash, 'is here': here, ...values } of page.rows) {
      after = String(position)
      if (here !== true) {
        absent += 1
        continue
      }
      const row = present(values)
      if (!Buffer.isBuffer(hash) || !entryHash(log, row).equals(hash)) throw altered(log, after)
      bytes += JSON.stringify(row).length
      if (rows.length >= maxRows || bytes > maxBytes) throw tooMany(log, maxRows, maxBytes)
      rows.push({ position: after, entry: hash.toString('base64'), row })
      ids.push({ id: String(row['id']) })
    }
    if (page.rows.length < PAGE_ROWS) return { rows, ids, bytes, absent }
  }
}

function present(
  values: Readonly<Record<string, unknown>>,
): Record<string, string | readonly string[]> & RowText {
  return Object.fromEntries(
    Object.entries(values).filter(
      (column): column is [string, string | string[]] =>
        typeof column[1] === 'string' || Array.isArray(column[1]),
    ),
  )
}

function altered({ log }: LogDefinition, position: string): AkashiError {
  return new AkashiError('integrity', `entry ${position} of ${log} is not what was sealed`, {
    hint: 'run akashi verify',
  })
}

function tooMany({ log }: LogDefinition, rows: number, bytes: number): AkashiError {
  return new AkashiError(
    'invalid_input',
    `the range has more than ${rows} rows or ${Math.floor(bytes / 1_048_576)} MiB of ${log}`,
    { hint: 'choose a shorter time range, and make several files' },
  )
}

/** The rows, divided by the checkpoint that proves them. */
async function partsOf(
  session: Session,
  head: Head,
  { log }: LogDefinition,
  rows: readonly EvidenceRow[],
): Promise<EvidencePart[]> {
  const parts: EvidencePart[] = []
  const node = nodesOf(session, head)
  let left = rows
  for (;;) {
    const [next] = left
    if (next === undefined) return parts
    const { size, note } = (await cosignedCheckpoint(session, head, BigInt(next.position))) ?? head
    if (note === null) throw new AkashiError('internal', `log ${log} has entries and no checkpoint`)
    const covered = left.filter(({ position }) => BigInt(position) < size)
    const positions = covered.map(({ position }) => BigInt(position))
    const nodes = await nodesAround(size, positions, node)
    parts.push({
      log: log as EvidencePart['log'],
      checkpoint: note,
      rows: covered,
      nodes: nodes.map((hash) => hash.toString('base64')),
    })
    left = left.slice(covered.length)
  }
}

/** Roots of the largest subtrees without one of the positions, from left to right. */
async function nodesAround(size: bigint, positions: readonly bigint[], read: NodeReader): Promise<Buffer[]> {
  const nodes: Buffer[] = []
  const walk = async (from: bigint, to: bigint, within: readonly bigint[]): Promise<void> => {
    if (within.length === 0) {
      nodes.push(await rangeRoot(from, to, read))
      return
    }
    if (to - from === 1n) return
    const middle = from + split(to - from)
    const right = within.findIndex((position) => position >= middle)
    const at = right < 0 ? within.length : right
    await walk(from, middle, within.slice(0, at))
    await walk(middle, to, within.slice(at))
  }
  await walk(0n, size, positions)
  return nodes
}
