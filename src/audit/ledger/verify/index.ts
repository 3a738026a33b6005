/** Verification of the ledger, whole or from where the last one ended: signatures, tree, rows and triggers. */
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { epochKeys } from '../epoch/keys.ts'
import { readEpochs } from '../epoch/link.ts'
import { type LogDefinition, logs } from '../logs.ts'
import { catalogProblems } from '../manifest/index.ts'
import { verifyTrust } from '../policy/verify-trust.ts'
import type { Head } from '../store.ts'
import { verifyArchived } from './archived-rows.ts'
import { verifyEpochs } from './epochs.ts'
import { verifyFrontier } from './frontier.ts'
import { headToVerify, signedCheckpoint, verifyHead } from './head.ts'
import { verifyLogs } from './known-logs.ts'
import { readVerifiedHead, type VerifiedHead } from './marks.ts'
import { type VerifyOptions, verifyTransaction, withCachedKeys } from './options.ts'
import { type LogReport, ProblemList, type VerifyReport } from './problems.ts'
import { type Collected, collectPublished, publishedCheckpoints } from './published-checkpoints.ts'
import { retiredBy, verifyRetired } from './retired-rows.ts'
import { verifyRows } from './rows.ts'
import { verifyHere } from './second-opinion.ts'
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

/** From where on published checkpoints are needed; a log that only grows needs none before. */
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
      const unused = new ProblemList()
      const { head, options } = await openLog(session, log, given, unused)
      return await goOnFrom(session, head, options, unused)
    },
    verifyTransaction(given),
  )
  return since?.size ?? 0n
}

/** The head, and the options with the keys that may sign in its epochs. */
async function openLog(
  session: Session,
  log: LogDefinition,
  given: VerifyOptions,
  problems: ProblemList,
): Promise<{ head: Head; options: VerifyOptions }> {
  const head = await headToVerify(session, log)
  const keys = await epochKeys(head, await readEpochs(session, head.log), given.verifierKeys, new Date())
  if (keys.problem !== null) problems.add('checkpoint', head.size, head.origin, keys.problem)
  return { head, options: { ...given, verifierKeys: keys.verifierKeys } }
}

async function verifyLog(
  session: Session,
  log: LogDefinition,
  collected: Collected | null,
  given: VerifyOptions,
): Promise<LogReport> {
  const problems = new ProblemList()
  if (log === logs[0] && given.catalog !== false) await verifyCatalog(session, problems)
  const { head, options } = await openLog(session, log, given, problems)
  const since = options.mode === 'incremental' ? await goOnFrom(session, head, options, problems) : null
  const from = since?.size ?? 0n
  await verifyHead(head, options, problems)
  const epochs = await verifyEpochs(session, head, options, problems)
  const begun = epochs.at(-1)?.size ?? 0n
  await verifyFrontier(session, log, head, begun, problems)
  const published = await publishedCheckpoints(session, head, from, epochs, collected, options, problems)
  await verifyTree(session, head, published, problems, from, since?.root)
  const archived = await verifyArchived(session, log, options, from, problems)
  const retired = await verifyRetired(session, log.log, from, options.verifierKeys, problems)
  const elsewhere = {
    archived: archived.positions,
    retired,
    unread: new UnreadObjects(archived.unreadObjects),
  }
  const rows = await verifyRows(session, log, head, begun, since, elsewhere, problems)
  await verifyHere(session, log, head, from, options.secondOpinion === true, problems, options.signal)
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
 * Where an incremental verification begins; null when it must begin at the start, because there is no good one
 * to go on from, or because it is not of this history.
 */
async function goOnFrom(
  session: Session,
  head: Head,
  options: VerifyOptions,
  problems: ProblemList,
): Promise<VerifiedHead | null> {
  const verified = await readVerifiedHead(session, head.log)
  if (verified === null || verified.epoch !== head.epoch) return null
  if (typeof (await signedCheckpoint(verified.note, head.origin, options)) === 'string') return null
  if (verified.size <= head.size) return verified
  problems.add(
    'checkpoint',
    verified.size,
    head.origin,
    `the ledger was verified when it had ${verified.size} entries, it has ${head.size}: its end was cut off`,
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

/** The database's code is compared with the program's: what it says of itself may be what an attacker wants. */
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
