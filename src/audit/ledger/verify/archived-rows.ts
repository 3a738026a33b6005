/** Verification of rows that left the database: their hashes, computed elsewhere, against the entries. */
import { AkashiError } from '../../../foundation/index.ts'
import type { Session } from '../../../postgres/index.ts'
import type { ArchivedEntry, ArchivedObject, ArchivedRows } from '../archived.ts'
import type { LogDefinition } from '../logs.ts'
import type { VerifyOptions } from './options.ts'
import { PositionSet } from './position-set.ts'
import type { ProblemList, UnreadObject } from './problems.ts'

/** What archived objects showed. */
export interface ArchivedFindings {
  /** Rows that were hashed and compared. */
  checked: number
  /** Positions whose rows are in an object, whatever they hash to. */
  readonly positions: PositionSet
  /** Objects that could not be read for now: their rows are neither checked nor missed. */
  readonly unread: UnreadObject[]
  readonly unreadObjects: ArchivedObject[]
}

export function noFindings(): ArchivedFindings {
  return { checked: 0, positions: new PositionSet(), unread: [], unreadObjects: [] }
}

/** Reads every object that holds a position at or after `from`. */
export async function verifyArchived(
  session: Session,
  log: LogDefinition,
  { archived, signal, onObject }: VerifyOptions,
  from: bigint,
  problems: ProblemList,
): Promise<ArchivedFindings> {
  const findings = noFindings()
  for (const object of (await archived?.objects(log.log, signal)) ?? []) {
    if (archived === undefined || object.lastPosition < from) continue
    await verifyObject(session, log, archived, object, findings, problems, signal)
    if (findings.unread.at(-1)?.object !== object.name) onObject?.(log.log, object.name)
  }
  return findings
}

/** Hashes one object anew. What is wrong with the object as a whole is a problem under its name. */
export async function verifyObject(
  session: Session,
  log: LogDefinition,
  archived: ArchivedRows,
  object: ArchivedObject,
  findings: ArchivedFindings,
  problems: ProblemList,
  signal?: AbortSignal,
): Promise<void> {
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
      await compare(session, log, object, batch, problems)
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
      `archived object ${object.name} holds ${rows} rows, it was stored with ${object.rows}`,
    )
  }
}

/** What an {@link ArchivedEntry} tells of a time: whole milliseconds. */
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

/** One round trip a batch while everything fits: ids and hashes of the entries come back side by side. */
async function compare(
  session: Session,
  log: LogDefinition,
  object: ArchivedObject,
  batch: readonly ArchivedEntry[],
  problems: ProblemList,
): Promise<void> {
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
  await nameDifferences(session, log, object, batch, positions, problems)
}

async function nameDifferences(
  session: Session,
  log: LogDefinition,
  object: ArchivedObject,
  batch: readonly ArchivedEntry[],
  positions: readonly string[],
  problems: ProblemList,
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
      problems.add('changed', position, entry.id, `the entry of ${row} names another time`)
  }
}
