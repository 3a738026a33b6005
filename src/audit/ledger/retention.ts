/**
 * Retention records: rows of one range of time were removed by a policy. Their entries stay in the tree, so
 * the record says by position and hash which they were, signed by the log's key. docs/ledger.md specifies it.
 */
import { createHash } from 'node:crypto'
import { AkashiError, given } from '../../foundation/index.ts'
import { type Keyring, signNote, type VerifierKey, verifyNote } from '../../keys/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import type { LogDefinition } from './logs.ts'
import { emptyRoot } from './merkle.ts'
import { commitDurably, lockHead, readHead } from './store.ts'
import { isRekeyed, replacedKey } from './verifier-keys.ts'

/** Position and hash of one entry in the digest. */
const DIGEST_ITEM_BYTES = 40
const POSITION_BYTES = 8

/** Entries that one row of the stream carries. */
const CHUNK_ENTRIES = 1_024

export interface Retirement {
  readonly log: LogDefinition
  /** `schema.table` of the partition whose rows go. */
  readonly partition: string
  /** Bounds of `created_at`, the upper one exclusive. */
  readonly from: Date
  readonly to: Date
  /** Why, one line: the policy that asks for it. */
  readonly policy: string
}

export interface RetentionRecord {
  readonly id: string
  readonly log: string
  readonly partition: string
  readonly from: Date
  readonly to: Date
  readonly policy: string
  readonly firstPosition: bigint
  readonly lastPosition: bigint
  readonly rows: bigint
  /** SHA-256 over (position, entry hash) of each entry. */
  readonly digest: Buffer
  /** The signed note. */
  readonly note: string
}

/**
 * Signs a retention record before the rows are deleted. Called again for the same range, it returns the existing
 * record and records rows sealed into the range since then.
 *
 * @returns null when the range has no entries
 * @throws AkashiError conflict under legal hold; invalid_input for an empty range
 */
export async function recordRetention(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  retirement: Retirement,
  signal?: AbortSignal,
): Promise<RetentionRecord | null> {
  const { log, partition, from, to, policy } = retirement
  if (!(from.getTime() < to.getTime())) {
    throw new AkashiError('invalid_input', 'the range of a retention record ends before it begins')
  }
  if (/[\p{Cc}]/u.test(`${partition}${policy}`) || policy === '' || partition === '') {
    throw new AkashiError('invalid_input', 'partition and policy of a retention record must be one line each')
  }
  const range = await database.transaction(
    actor,
    async (session) => {
      const head = await readHead(session, log.log)
      if (head === undefined) return null
      const earlier = await readRecords(session, log.log)
      const covering = earlier.filter((record) => record.from < to && record.to > from)
      const first = covering.reduce(
        (next, { lastPosition }) => (lastPosition >= next ? lastPosition + 1n : next),
        0n,
      )
      const found = await digestEntries(session, log.log, { from, to, first, last: head.size - 1n })
      return { found, covered: covering.at(-1) ?? null }
    },
    { isolation: 'repeatable read', readOnly: true, timeoutMs: 0, ...given({ signal }) },
  )
  if (range === null || range.found === null) return range?.covered ?? null
  const { found } = range
  const key = await keyring.ensure('checkpoint')
  // An epoch begins with the head locked, so that its link covers every record of the epochs before.
  return await database.transaction(
    actor,
    async (session) => {
      await commitDurably(session)
      const head = await lockHead(session, log.log, emptyRoot)
      if (await isRekeyed(keyring, head)) throw replacedKey(log)
      const record = { log: log.log, partition, from, to, policy, ...found }
      const note = await signNote(keyring, key.id, head.origin, recordText(head.origin, record))
      const { rows } = await session.query<{ id: string }>(
        'select akashi_audit.record_retention($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as id',
        [
          log.log,
          partition,
          from.toISOString(),
          to.toISOString(),
          found.firstPosition.toString(),
          found.lastPosition.toString(),
          found.rows.toString(),
          found.digest,
          policy,
          note,
        ],
      )
      return { ...record, id: rows[0]?.id ?? '', note }
    },
    { timeoutMs: 0, ...given({ signal }) },
  )
}

/** The text that is signed. */
function recordText(origin: string, record: Omit<RetentionRecord, 'id' | 'note'>): string {
  return [
    'akashi/retention/1',
    origin,
    record.log,
    record.partition,
    record.from.toISOString(),
    record.to.toISOString(),
    record.firstPosition,
    record.lastPosition,
    record.rows,
    record.digest.toString('base64'),
    record.policy,
    '',
  ].join('\n')
}

interface RecordRow {
  readonly id: string
  readonly log: string
  readonly partition: string
  readonly from: string
  readonly to: string
  readonly policy: string
  readonly first: string
  readonly last: string
  readonly rows: string
  readonly digest: Buffer
  readonly note: string
}

/** The origin that a record is signed under. */
export function originOfRecord({ note }: Pick<RetentionRecord, 'note'>): string {
  return note.split('\n', 2)[1] ?? ''
}

/** SHA-256 over the SHA-256 of each note, in ascending order of these. */
export function digestRecords(records: readonly Pick<RetentionRecord, 'note'>[]): Buffer {
  const notes = records.map(({ note }) => createHash('sha256').update(note).digest())
  return createHash('sha256')
    .update(Buffer.concat(notes.sort((a, b) => a.compare(b))))
    .digest()
}

/** Every record of a log, in ascending position. */
export async function readRecords(session: Session, log: string): Promise<RetentionRecord[]> {
  const { rows } = await session.query<RecordRow>(
    `select id, log, partition_name as partition, lower_bound as "from", upper_bound as "to", policy,
            first_position::text as first, last_position::text as last, row_count::text as rows, digest, note
     from akashi_audit.retention_records where log = $1 order by last_position`,
    [log],
  )
  return rows.map(({ first, last, ...row }) => ({
    ...row,
    from: new Date(row.from),
    to: new Date(row.to),
    firstPosition: BigInt(first),
    lastPosition: BigInt(last),
    rows: BigInt(row.rows),
  }))
}

/**
 * Why a record is not valid; null when signature, count and digest are. Passes each position of its entries to
 * `onPosition`; they are covered only if the record is valid.
 */
export async function checkRecord(
  session: Session,
  record: RetentionRecord,
  verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>,
  onPosition: (position: bigint) => void,
): Promise<string | null> {
  try {
    const origin = originOfRecord(record)
    const { text } = verifyNote(record.note, await verifierKeys(origin))
    if (text !== recordText(origin, record)) return 'it is not what was signed'
  } catch (error) {
    if (!(error instanceof AkashiError)) throw error
    return `its signature does not verify: ${error.message}`
  }
  const { from, to, firstPosition: first, lastPosition: last } = record
  const found = await digestEntries(session, record.log, { from, to, first, last }, onPosition)
  if (found?.rows !== record.rows)
    return `the ledger has ${found?.rows ?? 0n} such entries, but the record says ${record.rows}`
  if (!found.digest.equals(record.digest)) return 'its digest does not match the entries'
  return null
}

interface Range {
  readonly from: Date
  readonly to: Date
  readonly first: bigint
  readonly last: bigint
}

/** null when there is no entry in the range. */
async function digestEntries(
  session: Session,
  log: string,
  { from, to, first, last }: Range,
  onPosition: (position: bigint) => void = () => undefined,
): Promise<Pick<RetentionRecord, 'firstPosition' | 'lastPosition' | 'rows' | 'digest'> | null> {
  const hash = createHash('sha256')
  let rows = 0n
  let firstPosition = -1n
  let lastPosition = -1n
  const chunks = session.stream<{ items: Buffer }>(
    `select string_agg(int8send(position) || entry_hash, ''::bytea order by position) as items
     from akashi_audit.ledger_entries
     where log = $1 and position between $2::bigint and $3::bigint and created_at >= $4 and created_at < $5
     group by position / ${CHUNK_ENTRIES} order by position / ${CHUNK_ENTRIES}`,
    [log, first.toString(), last.toString(), from.toISOString(), to.toISOString()],
  )
  for await (const batch of chunks) {
    for (const { items } of batch) {
      hash.update(items)
      for (let at = 0; at + POSITION_BYTES <= items.length; at += DIGEST_ITEM_BYTES) {
        lastPosition = items.readBigInt64BE(at)
        if (rows === 0n) firstPosition = lastPosition
        rows += 1n
        onPosition(lastPosition)
      }
    }
  }
  return rows === 0n ? null : { firstPosition, lastPosition, rows, digest: hash.digest() }
}
