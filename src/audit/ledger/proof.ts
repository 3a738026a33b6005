/** Proofs that a row is in the ledger, and that one checkpoint continues another. */
import { AkashiError } from '../../foundation/index.ts'
import { formatNote, type NoteSignature, parseNote } from '../../keys/index.ts'
import type { Actor, Database, Person, Session } from '../../postgres/index.ts'
import { recordAccess } from '../trail/access.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { entryHash } from './encoding.ts'
import { type LogDefinition, logNamed } from './logs.ts'
import { consistencyProof, inclusionProof, treeRoot } from './merkle.ts'
import { BUNDLE_VERSION, bundleColumnSql, type ProofBundle } from './proof-bundle.ts'
import { type Head, readHead, tileReader } from './store.ts'
import { TiledTree } from './tiles.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** One snapshot for head, tiles, entry and row. */
const snapshot = { isolation: 'repeatable read' } as const

/**
 * The bundle that proves one row, for anybody to check without a database. The rights of `actor` decide
 * whether the row is found; the reading is recorded.
 *
 * @throws AkashiError not_found; conflict while the row is not sealed yet; integrity when it is not what was
 *   sealed
 */
export async function proveRow(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  rowId: string,
): Promise<ProofBundle> {
  requireRowId(rowId)
  return await database.transaction(
    actor,
    async (session) => {
      const bundle = await prove(session, log, rowId)
      await recordAccess(session, `${log.schema}.${log.table}`, { proof: rowId }, [{ id: rowId }])
      return bundle
    },
    snapshot,
  )
}

/**
 * As {@link proveRow}, of a row of the trail that the user wrote themselves, which they may read without a record of it.
 *
 * @param database of the role `app`, whose row-level security hides what others did
 */
export async function proveOwnRow(
  database: Database,
  actor: Person,
  rowId: string,
): Promise<{ readonly proof: ProofBundle; readonly origin: string }> {
  requireRowId(rowId)
  const proof = await database.transaction(
    actor,
    (session) => prove(session, logNamed('audit_logs'), rowId),
    {
      ...snapshot,
      readOnly: true,
    },
  )
  return { proof, origin: parseCheckpoint(parseNote(proof.checkpoint).text).origin }
}

function requireRowId(rowId: string): void {
  if (!UUID.test(rowId)) throw new AkashiError('invalid_input', `${rowId} is not a row id: it must be a uuid`)
}

async function prove(session: Session, log: LogDefinition, rowId: string): Promise<ProofBundle> {
  const head = await readHead(session, log.log)
  const { rows: entries } = await session.query<{ position: string; at: string; hash: Buffer }>(
    'select position::text, created_at as at, entry_hash as hash from akashi_audit.ledger_entries where row_id = $1 and log = $2',
    [rowId, log.log],
  )
  const [entry] = entries
  const row = await readRow(session, log, rowId, entry?.at)
  if (row === undefined) {
    throw new AkashiError('not_found', `row ${rowId} not found in ${log.schema}.${log.table}`, {
      hint:
        entry === undefined
          ? 'check the id and the log'
          : 'it was sealed: it is archived, hidden from you, or was removed; run akashi verify',
    })
  }
  if (
    entry === undefined ||
    head === undefined ||
    head.note === null ||
    BigInt(entry.position) >= head.size
  ) {
    throw new AkashiError('conflict', `row ${rowId} is not sealed yet`, {
      hint: 'the sealer takes rows within a second of the end of every transaction that was open when they were written; try again',
    })
  }
  if (!entryHash(log, row).equals(entry.hash)) {
    throw new AkashiError('integrity', `row ${rowId} of ${log.schema}.${log.table} is not what was sealed`, {
      hint: 'run akashi verify',
    })
  }
  const position = BigInt(entry.position)
  const { size, note } = (await cosignedCheckpoint(session, head, position)) ?? {
    size: head.size,
    note: head.note,
  }
  const path = await inclusionProof(position, size, nodesOf(session, head))
  return {
    version: BUNDLE_VERSION,
    log: log.log,
    row,
    position: entry.position,
    proof: path.map((hash) => hash.toString('base64')),
    checkpoint: note,
  }
}

/** The checkpoint that covers a position and that most witnesses cosigned, with all their signatures. */
export async function cosignedCheckpoint(
  session: Session,
  { log, epoch, size }: Head,
  position: bigint,
): Promise<{ size: bigint; note: string } | null> {
  const { rows } = await session.query<{ size: string; notes: string[] }>(
    `select size::text, array_agg(note order by witness) as notes from akashi_audit.ledger_cosignatures
     where log = $1 and epoch = $2 and size > $3::bigint and size <= $4::bigint
     group by size order by count(*) desc, size desc limit 1`,
    [log, epoch, position.toString(), size.toString()],
  )
  const [row] = rows
  const [first] = row?.notes ?? []
  if (row === undefined || first === undefined) return null
  const { text, signatures } = parseNote(first)
  const seen = new Map(signatures.map((signature) => [signatureName(signature), signature]))
  for (const note of row.notes) {
    for (const signature of parseNote(note).signatures) seen.set(signatureName(signature), signature)
  }
  return { size: BigInt(row.size), note: formatNote({ text, signatures: [...seen.values()] }) }
}

function signatureName({ name, hash }: NoteSignature): string {
  return `${name} ${Buffer.from(hash).toString('hex')}`
}

/** The row by its id, with the time of its entry to find the partition; NULLs left out. */
async function readRow(
  session: Session,
  log: LogDefinition,
  rowId: string,
  at: string | undefined,
): Promise<ProofBundle['row'] | undefined> {
  const columns = Object.entries(log.columns).map(([name, form]) => bundleColumnSql(name, form))
  const { rows } = await session.query<Record<string, string | string[] | null>>(
    `select ${columns.join(', ')} from ${log.schema}.${log.table} r
     where r.id = $1 and ($2::timestamptz is null or r.created_at = $2)`,
    [rowId, at ?? null],
  )
  const [row] = rows
  if (row === undefined) return undefined
  return Object.fromEntries(
    Object.entries(row).filter((column): column is [string, string | string[]] => column[1] !== null),
  )
}

/** Nodes of the tree as it was sealed; any smaller tree is read from the same tiles. */
export function nodesOf(session: Session, head: Head): TiledTree['node'] {
  return new TiledTree(head.size, tileReader(session, head.log)).node
}

export interface ConsistencyProof {
  readonly log: string
  readonly origin: string
  /** Sizes of both trees, decimals. */
  readonly first: string
  readonly second: string
  /** Roots of both trees in base64, as their checkpoints have them. */
  readonly firstRoot: string
  readonly secondRoot: string
  /** RFC 6962, 2.1.2, each hash in base64. */
  readonly proof: readonly string[]
}

/**
 * Proves that the tree of `second` entries begins with that of `first`.
 *
 * @throws AkashiError invalid_input unless 0 ≤ first ≤ second ≤ the size of the log
 */
export async function proveConsistency(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  first: bigint,
  second: bigint,
): Promise<ConsistencyProof> {
  return await database.transaction(
    actor,
    async (session) => {
      const head = await readHead(session, log.log)
      const size = head?.size ?? 0n
      if (head === undefined || first < 0n || first > second || second > size) {
        throw new AkashiError(
          'invalid_input',
          `no proof leads from size ${first} to size ${second} of log ${log.log}`,
          {
            hint: `sizes go from 0 to ${size}, the smaller one first`,
          },
        )
      }
      const node = nodesOf(session, head)
      const base64 = (hash: Buffer) => hash.toString('base64')
      return {
        log: log.log,
        origin: head.origin,
        first: first.toString(),
        second: second.toString(),
        firstRoot: base64(await treeRoot(first, node)),
        secondRoot: base64(await treeRoot(second, node)),
        proof: (await consistencyProof(first, second, node)).map(base64),
      }
    },
    { ...snapshot, readOnly: true },
  )
}
