/** Verification of the ledger, full or incremental: signatures, tree, rows and triggers. */
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { type LogDefinition, logs } from '../logs.ts'
import { catalogProblems } from '../manifest/index.ts'
import { verifyTrust } from '../policy/verify-trust.ts'
import type { Head } from '../store.ts'
import { verifyArchived } from './archived-rows.ts'
import { verifyEpochs } from './epochs.ts'
import { verifyFrontier } from './frontier.ts'
import { signedCheckpoint, verifyHead } from './head.ts'
import { verifyLogs } from './known-logs.ts'
import type { LogVerification } from './log-verification.ts'
import { readVerifiedHead, type VerifiedHead } from './marks.ts'
import { openLog } from './open-log.ts'
import { type VerifyOptions, verifyTransaction, withCachedKeys } from './options.ts'
import { type LogReport, ProblemList, type VerifyReport } from './problems.ts'
import { type Collected, collectPublished, publishedCheckpoints } from './published-checkpoints.ts'
import { retiredBy, verifyRetired } from './retired-rows.ts'
import { verifyRows } from './rows.ts'
import { hashRowsLocally } from './second-opinion.ts'
import { verifyTree } from './tree.ts'
import { UnreadObjects } from './unread.ts'

/** Checks every log in one snapshot; finding problems is a result, not an error. */
export async function verify(database: Database, actor: Actor, given: VerifyOptions): Promise<VerifyReport> {
  const options = withCachedKeys(given)
  const reports: LogReport[] = []
  for (const log of logs) {
    const collected = await collectPublished(log.log, await startOf(database, actor, log, options), options)
    const report = await database.transaction(
      actor,
      (session) => verifyLog(session, log, collected, options),
      verifyTransaction(options),
    )
    reports.push(report)
    options.onLog?.(report)
  }
  return {
    mode: options.mode ?? 'full',
    ok: reports.every((report) => report.problems.length === 0),
    logs: reports,
  }
}

/** The size from which published checkpoints are needed: earlier ones were compared by the last verification. */
async function startOf(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  given: VerifyOptions,
): Promise<bigint> {
  if (given.mode !== 'incremental') return 0n
  const since = await database.transaction(
    actor,
    async (session) => {
      return await resumePoint(await openLog(session, log, given))
    },
    verifyTransaction(given),
  )
  return since?.size ?? 0n
}

async function verifyLog(
  session: Session,
  log: LogDefinition,
  collected: Collected | null,
  given: VerifyOptions,
): Promise<LogReport> {
  const problems = new ProblemList()
  if (log === logs[0] && given.catalog !== false) await verifyCatalog(session, problems)
  const verification = await openLog(session, log, given, problems)
  const { head, options } = verification
  const since = options.mode === 'incremental' ? await resumePoint(verification) : null
  const from = since?.size ?? 0n
  await verifyHead(verification)
  const epochs = await verifyEpochs(verification)
  const epochStartSize = epochs.at(-1)?.size ?? 0n
  await verifyFrontier(verification, epochStartSize)
  const published = await publishedCheckpoints(verification, from, epochs, collected)
  await verifyTree(verification, published, from, since?.root)
  const archived = await verifyArchived(verification, from)
  const retired = await verifyRetired(verification, from)
  const rows = await verifyRows(verification, epochStartSize, since, {
    archived: archived.positions,
    retired,
    unread: new UnreadObjects(archived.unreadObjects),
  })
  await hashRowsLocally(verification, from, options.secondOpinion === true ? 'all' : 'sample')
  if (options.trust !== undefined) await verifyTrust(session, head, options.trust, problems)
  await verifyTriggers(session, log, problems)
  if (log === logs[0]) await verifyLogs(session, problems)
  return reportOf(head, from, problems, {
    checked: rows.checked + archived.checked,
    retired: rows.retired,
    retiredBy: await retiredBy(session, log.log),
    unread: archived.unread,
  })
}

/**
 * Where an incremental verification begins; null when it must begin at the start, because no earlier one was
 * successful, or because that one is not of this history.
 */
async function resumePoint({
  session,
  head,
  options,
  problems,
}: LogVerification): Promise<VerifiedHead | null> {
  const verified = await readVerifiedHead(session, head.log)
  if (verified === null || verified.epoch !== head.epoch) return null
  if (typeof (await signedCheckpoint(verified.note, head.origin, options)) === 'string') return null
  if (verified.size <= head.size) return verified
  problems.add(
    'checkpoint',
    verified.size,
    head.origin,
    `the ledger had ${verified.size} entries when it was verified, and now has ${head.size}: its end was cut off`,
  )
  return null
}

export function reportOf(
  head: Head,
  from: bigint,
  problems: ProblemList,
  counts: Pick<LogReport, 'checked' | 'retired' | 'retiredBy' | 'unread'>,
): LogReport {
  return {
    log: head.log,
    epoch: head.epoch,
    size: head.size.toString(),
    root: head.root.toString('base64'),
    checkpoint: head.note,
    frontier: { xid: head.lastXid, seq: head.lastSeq },
    from: from.toString(),
    ...counts,
    problems: problems.listed,
    unlisted: problems.unlisted,
  }
}

/** Compares the database's code with the program's, since an attacker may have replaced code that verification calls. */
export async function verifyCatalog(session: Session, problems: ProblemList): Promise<void> {
  for (const { object, detail } of await catalogProblems(session))
    problems.add('catalog', null, object, `${object}: ${detail}`)
}

async function verifyTriggers(session: Session, log: LogDefinition, problems: ProblemList): Promise<void> {
  const { rows } = await session.query<{ table: string; problem: string }>(
    'select "table"::text, problem from akashi_audit.trigger_problems($1)',
    [log.log],
  )
  for (const row of rows) problems.add('trigger', null, row.table, row.problem)
}
