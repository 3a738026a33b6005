/** Verification of the whole ledger: signatures, tree, rows and triggers. */
import { AkashiError } from '../../../foundation/index.ts'
import { type VerifierKey, verifyNote } from '../../../keys/index.ts'
import { anonymous, type Database, type Session } from '../../../postgres/index.ts'
import type { ArchivedRows } from '../archived.ts'
import { type Checkpoint, parseCheckpoint } from '../checkpoint.ts'
import { type LogDefinition, logs } from '../logs.ts'
import { emptyRoot } from '../merkle.ts'
import { type Head, readHead } from '../store.ts'
import { verifyArchived } from './archived-rows.ts'
import { type LogReport, ProblemList, type UnreadObject, type VerifyReport } from './problems.ts'
import { verifyRows } from './rows.ts'
import { verifyTree } from './tree.ts'

/** A full verification hashes everything; this bounds one of its statements, in milliseconds. */
const VERIFY_TIMEOUT_MS = 4 * 60 * 60 * 1000

export interface VerifyOptions {
  /** Whose signatures count for the log of an origin. */
  readonly verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>
  /** Signed notes of checkpoints that were published outside the database, by log. */
  readonly published?: (log: string) => AsyncIterable<string>
  /** Rows that left the database; without it an entry whose row is not there is one that was removed. */
  readonly archived?: ArchivedRows
  readonly signal?: AbortSignal
  /** Called after each log. */
  readonly onLog?: (report: LogReport) => void
}

/** Checks every log in one snapshot; finding problems is a result, not an error. */
export async function verify(database: Database, options: VerifyOptions): Promise<VerifyReport> {
  const reports: LogReport[] = []
  for (const log of logs) {
    const report = await database.transaction(anonymous, (session) => verifyLog(session, log, options), {
      isolation: 'repeatable read',
      readOnly: true,
      timeoutMs: VERIFY_TIMEOUT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    reports.push(report)
    options.onLog?.(report)
  }
  return { ok: reports.every((report) => report.problems.length === 0), logs: reports }
}

async function verifyLog(session: Session, log: LogDefinition, options: VerifyOptions): Promise<LogReport> {
  const problems = new ProblemList()
  await session.query('select audit.assert_unfiltered($1::regclass)', [`${log.schema}.${log.table}`])
  const stored = await readHead(session, log.log)
  const head: Head = stored ?? {
    log: log.log,
    epoch: 1,
    origin: '',
    size: 0n,
    root: emptyRoot,
    note: null,
    lastXid: '0',
    lastSeq: '0',
    sealedAt: null,
  }
  await verifyHead(head, options, problems)
  await verifyTree(session, head, await publishedCheckpoints(head, options, problems), problems)
  const archived = await verifyArchived(session, log, options.archived, 0n, problems, options.signal)
  const rows = await verifyRows(
    session,
    log,
    head,
    {
      archived: (position) => archived.positions.has(position) || isUnread(archived.unread, position),
      retired: () => false,
    },
    problems,
  )
  await verifyTriggers(session, log, problems)
  return {
    log: log.log,
    size: head.size.toString(),
    root: head.root.toString('base64'),
    checked: rows.checked + archived.checked,
    retired: rows.retired,
    unread: archived.unread,
    problems: problems.listed,
    unlisted: problems.unlisted,
  }
}

function isUnread(unread: readonly UnreadObject[], position: bigint): boolean {
  return unread.some(
    ({ firstPosition, lastPosition }) =>
      position >= BigInt(firstPosition) && position <= BigInt(lastPosition),
  )
}

/** The head must be the checkpoint that was signed. */
async function verifyHead(head: Head, options: VerifyOptions, problems: ProblemList): Promise<void> {
  if (head.note === null) {
    if (head.size !== 0n) problems.add('checkpoint', head.size, head.origin, 'the head carries no signature')
    return
  }
  try {
    const { text } = verifyNote(head.note, await options.verifierKeys(head.origin))
    const signed = parseCheckpoint(text)
    if (signed.origin !== head.origin || signed.size !== head.size || !signed.root.equals(head.root)) {
      problems.add(
        'checkpoint',
        head.size,
        head.origin,
        `the head is not the checkpoint that was signed (size ${signed.size})`,
      )
    }
  } catch (error) {
    if (!(error instanceof AkashiError)) throw error
    problems.add(
      'checkpoint',
      head.size,
      head.origin,
      `the signature of the head does not verify: ${error.message}`,
    )
  }
}

/** Published checkpoints in ascending size; one beyond the head shows that the log was cut off. */
async function publishedCheckpoints(
  head: Head,
  options: VerifyOptions,
  problems: ProblemList,
): Promise<Checkpoint[]> {
  const checkpoints: Checkpoint[] = []
  if (options.published === undefined) return checkpoints
  const keys = head.origin === '' ? [] : await options.verifierKeys(head.origin)
  for await (const note of options.published(head.log)) {
    try {
      const checkpoint = parseCheckpoint(verifyNote(note, keys).text)
      if (checkpoint.size > head.size) {
        problems.add(
          'checkpoint',
          checkpoint.size,
          checkpoint.origin,
          `a checkpoint of size ${checkpoint.size} was published, the ledger has ${head.size} entries: its end was cut off`,
        )
      } else checkpoints.push(checkpoint)
    } catch (error) {
      if (!(error instanceof AkashiError)) throw error
      problems.add(
        'checkpoint',
        null,
        head.origin,
        `a published checkpoint does not verify: ${error.message}`,
      )
    }
  }
  return checkpoints.sort((a, b) => Number(a.size - b.size))
}

async function verifyTriggers(session: Session, log: LogDefinition, problems: ProblemList): Promise<void> {
  const { rows } = await session.query<{ table: string; problem: string }>(
    'select "table"::text, problem from audit.trigger_problems($1)',
    [log.log],
  )
  for (const row of rows) problems.add('trigger', null, row.table, row.problem)
}
