/** Compares the hashes of archived rows with the entries. */
import { AkashiError } from '../../../foundation/index.ts'
import type { ArchivedEntry, ArchivedObject, ArchivedRows } from '../archived.ts'
import type { LogVerification } from './log-verification.ts'
import { PositionSet } from './position-set.ts'
import type { UnreadObject } from './problems.ts'

/** What archived objects showed. */
export interface ArchivedFindings {
  /** Rows that were hashed and compared. */
  checked: number
  /** Positions of all rows in the objects, also of those with a wrong hash. */
  readonly positions: PositionSet
  /** Objects that cannot be read at present: their rows are neither checked nor missing. */
  readonly unread: UnreadObject[]
  readonly unreadObjects: ArchivedObject[]
}

export function noFindings(): ArchivedFindings {
  return { checked: 0, positions: new PositionSet(), unread: [], unreadObjects: [] }
}

/** Reads every object that holds a position at or after `from`. */
export async function verifyArchived(verification: LogVerification, from: bigint): Promise<ArchivedFindings> {
  const { log } = verification
  const { archived, signal, onObject } = verification.options
  const findings = noFindings()
  for (const object of (await archived?.objects(log.log, signal)) ?? []) {
    if (archived === undefined || object.lastPosition < from) continue
    await verifyObject(verification, archived, object, findings)
    if (findings.unread.at(-1)?.object !== object.name) onObject?.(log.log, object.name)
  }
  return findings
}

/** Hashes the rows of one object. A problem of the object as a whole is reported under its name. */
export async function verifyObject(
  verification: LogVerification,
  archived: ArchivedRows,
  object: ArchivedObject,
  findings: ArchivedFindings,
): Promise<void> {
  const { problems, options } = verification
  const { signal } = options
  let rows = 0n
  let last = -1n
  try {
    for await (const batch of archived.entries(object, signal)) {
      signal?.throwIfAborted()
      for (const { position } of batch) {
        if (position <= last)
          throw new AkashiError('integrity', `position ${position} follows ${last}: positions ascend`)
        last = position
        findings.positions.add(position)
      }
      rows += BigInt(batch.length)
      findings.checked += batch.length
      await compare(verification, object, batch)
    }
  } catch (error) {
    if (!(error instanceof AkashiError)) throw error
    if (error.code === 'unavailable') {
      const { name, firstPosition, lastPosition } = object
      findings.unread.push({
        object: name,
        firstPosition: firstPosition.toString(),
        lastPosition: lastPosition.toString(),
        reason: error.message,
      })
      findings.unreadObjects.push(object)
      return
    }
    if (error.code !== 'not_found' && error.code !== 'integrity') throw error
    const kind = error.code === 'not_found' ? 'removed' : 'changed'
    problems.add(kind, object.firstPosition, object.name, `archived object ${object.name}: ${error.message}`)
    return
  }
  if (rows !== object.rows) {
    problems.add(
      rows < object.rows ? 'removed' : 'added',
      object.firstPosition,
      object.name,
      `archived object ${object.name} has ${rows} rows, but was stored with ${object.rows}`,
    )
  }
}

/** {@link ArchivedEntry} has times in whole milliseconds. */
const milliseconds = "(extract(epoch from date_trunc('milliseconds', created_at)) * 1000)::bigint"

function time(at: Date): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(at.getTime()))
  return bytes
}

interface EntryRow {
  readonly position: string
  readonly id: string
  readonly hash: Buffer
  /** Milliseconds since 1970. */
  readonly at: string
}

/** One round trip per batch without differences: ids, hashes and times of the entries are returned concatenated. */
async function compare(
  verification: LogVerification,
  object: ArchivedObject,
  batch: readonly ArchivedEntry[],
): Promise<void> {
  const { session, log } = verification
  if (batch.length === 0) return
  const positions = batch.map(({ position }) => position.toString())
  const { rows } = await session.query<{ sealed: Buffer | null }>(
    `select string_agg(uuid_send(row_id) || entry_hash || int8send(${milliseconds}), ''::bytea order by position) as sealed
     from akashi_audit.ledger_entries where log = $1 and position = any ($2::bigint[])`,
    [log.log, positions],
  )
  const claimed = Buffer.concat(
    batch.flatMap(({ rowId, entryHash, createdAt }) => [
      Buffer.from(rowId.replaceAll('-', ''), 'hex'),
      entryHash,
      time(createdAt),
    ]),
  )
  if (rows[0]?.sealed?.equals(claimed) === true) return
  await reportDifferences(verification, object, batch, positions)
}

async function reportDifferences(
  { session, log, problems }: LogVerification,
  object: ArchivedObject,
  batch: readonly ArchivedEntry[],
  positions: readonly string[],
): Promise<void> {
  const { rows } = await session.query<EntryRow>(
    `select position::text, row_id::text as id, entry_hash as hash, ${milliseconds}::text as at
     from akashi_audit.ledger_entries where log = $1 and position = any ($2::bigint[])`,
    [log.log, positions],
  )
  const sealed = new Map(rows.map((row) => [row.position, row]))
  for (const { position, rowId, createdAt, entryHash } of batch) {
    const entry = sealed.get(position.toString())
    const row = `row ${rowId} (${createdAt.toISOString()}) in archived object ${object.name}`
    if (entry === undefined) problems.add('added', position, rowId, `${row} has no entry`)
    else if (!entry.hash.equals(entryHash) || entry.id !== rowId.toLowerCase())
      problems.add('changed', position, entry.id, `${row} is not what was sealed`)
    else if (entry.at !== createdAt.getTime().toString())
      problems.add('changed', position, entry.id, `the entry of ${row} has another time`)
  }
}
