import {
  auditLogs,
  type CrosscheckFindings,
  crosscheckFindings,
  describeHolder,
  gatherTrust,
  type ListedCheckpoint,
  type LogReport,
  openEpochsWhereNeeded,
  policyKeys,
  publishCheckpoints,
  publishedNotes,
  readOrigins,
  readPolicy,
  recordVerification,
  scrub,
  type Trust,
  thinCheckpoints,
  trustedWitnesses,
  type VerifyMode,
  type VerifyReport,
  verifierKeys,
  verify,
  watchLedger,
  watchSealing,
  watchWitnesses,
  witnessAddress,
  witnessedNotes,
  witnessHeads,
} from '../audit/index.ts'
import { AkashiError, given, type Log } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { archivedRows } from '../lifecycle/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import { type Actor, type Database, readTogether } from '../postgres/index.ts'
import { describeLeaderLock, watchLeaderLocks } from './leader-locks.ts'
import type { Task } from './schedule/index.ts'

export interface LedgerParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
  /** File of the policy that pins origins, keys and witnesses; read again for each verification. */
  readonly policy?: string | undefined
}

/** Verifies every log against the policy, the keys and the published checkpoints, and keeps what was found. */
export async function verifyAndRecord(
  database: Database,
  actor: Actor,
  { keyring, store, policy: path }: LedgerParts,
  options: {
    /** Default full. */
    readonly mode?: VerifyMode
    /** Hashes every row in this program too. */
    readonly secondOpinion?: boolean
    readonly signal?: AbortSignal
  } = {},
): Promise<VerifyReport> {
  const { mode = 'full', secondOpinion = false, signal } = options
  const startedAt = new Date()
  const policy = path === undefined ? null : await readPolicy(path)
  const trust = await gatherTrust(database, actor, policy, given({ signal }))
  const objects = new Map<string, string[]>()
  const parts = {
    verifierKeys: policy === null ? verifierKeys(keyring) : policyKeys(policy),
    trust,
    published: (log: string, from: bigint) => elsewhere(store, trust, log, from),
    onObject: (log: string, object: string) => objects.set(log, [...(objects.get(log) ?? []), object]),
    archived: archivedRows(database, actor, store),
    secondOpinion,
    ...given({ signal }),
  }
  const found =
    mode === 'scrub' ? await scrub(database, actor, parts) : await verify(database, actor, { ...parts, mode })
  const report = withCrosscheck(
    { ...found, notes: [...trust.notes] },
    await crosscheckFindings(database, actor, given({ signal })),
  )
  await recordVerification(database, actor, startedAt, report, objects)
  return report
}

/** The report with what the cross-check found, under the log whose rows it is about. */
function withCrosscheck(report: VerifyReport, { problems, notes }: CrosscheckFindings): VerifyReport {
  const logs = report.logs.map((log) =>
    log.log !== auditLogs.log
      ? log
      : {
          ...log,
          problems: [
            ...log.problems,
            ...problems.map(({ id, detail }) => ({
              kind: 'crosscheck' as const,
              position: null,
              id,
              detail,
            })),
          ],
        },
  )
  return {
    ...report,
    logs,
    ok: report.ok && problems.length === 0,
    notes: [...(report.notes ?? []), ...notes],
  }
}

/**
 * Verifies the ledger of a restored copy without writing anything. Checkpoints published after its target time
 * are skipped, since the copy cannot have their entries.
 */
export async function verifyCopy(
  database: Database,
  actor: Actor,
  { keyring, store }: LedgerParts,
  signal?: AbortSignal,
): Promise<VerifyReport> {
  const known = await database.transaction(actor, async (session) => {
    const origins = await readOrigins(session)
    return new Map(origins.map(({ log, origin, size }) => [`${log} ${origin}`, size]))
  })
  return await verify(database, actor, {
    verifierKeys: verifierKeys(keyring),
    catalog: false,
    archived: archivedRows(database, actor, store),
    published: async function* (log, from) {
      for await (const note of publishedNotes(store, log, from)) {
        if (typeof note !== 'string') {
          yield note
          continue
        }
        const [origin = '', size = '0'] = note.split('\n')
        const own = known.get(`${log} ${origin}`)
        if (own !== undefined && BigInt(size) <= own) yield note
      }
    },
    ...given({ signal }),
  })
}

/** Every checkpoint of a log that is kept outside the database. */
async function* elsewhere(
  store: ObjectStore,
  trust: Trust,
  log: string,
  from: bigint,
): AsyncIterable<string | ListedCheckpoint> {
  yield* publishedNotes(store, log, from)
  yield* witnessedNotes(trust, log)
}

/**
 * Submits every head to every trusted witness. An unreachable witness is logged; one that cosigned another history
 * raises an alarm and makes this fail with `integrity`.
 */
async function submitToWitnesses(
  database: Database,
  actor: Actor,
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  const witnesses = await trustedWitnesses(database, actor)
  const outcomes = await witnessHeads(database, actor, witnesses.map(witnessAddress), { signal })
  await watchWitnesses(database, actor, outcomes)
  for (const { witness, log: name, error } of outcomes) {
    if (error?.code === 'integrity') throw error
    if (error !== null) log.warn({ witness, log: name, err: error }, 'a witness did not cosign')
  }
  return outcomes.filter(({ cosigned }) => cosigned !== null).length
}

/** A task that fails if the verification finds problems. */
function verification(parts: LedgerParts, mode: VerifyMode): Task {
  return async ({ worker, actor, signal }) => {
    const report = await verifyAndRecord(worker, actor, parts, { mode, signal })
    if (!report.ok) {
      const problems = report.logs.flatMap((log) => log.problems)
      throw new AkashiError(
        'integrity',
        `verification found ${problems.length} problems, first: ${problems[0]?.detail}`,
        { hint: 'run akashi verify' },
      )
    }
    const sum = (count: (log: LogReport) => number) => report.logs.reduce((all, log) => all + count(log), 0)
    return {
      checked: sum(({ checked }) => checked),
      retired: sum(({ retired }) => retired),
      unread: sum(({ unread }) => unread.length),
    }
  }
}

/** A line for each of what `ledger.watch` raises alarms for. */
async function everythingWrong(
  database: Database,
  actor: Actor,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { triggers, catalog, holders } = await watchLedger(database, actor)
  return [
    ...triggers.map(({ table, problem }) => `${table}: ${problem}`),
    ...catalog.map(({ object, detail }) => `${object}: ${detail}`),
    ...holders.map(describeHolder),
    ...(await watchSealing(database, actor, { signal })).map(
      ({ subject, detail }) => `${subject}: ${detail}`,
    ),
    ...(await watchLeaderLocks(database, actor)).map(describeLeaderLock),
  ]
}

/** The tasks of the ledger's scheduled jobs. */
export function ledgerTasks(parts: LedgerParts): Readonly<Record<string, Task>> {
  return {
    'ledger.verify': verification(parts, 'full'),
    'ledger.verify_incremental': verification(parts, 'incremental'),
    'ledger.scrub': verification(parts, 'scrub'),
    'ledger.watch': async ({ worker, actor, signal }) => {
      const wrong = await readTogether(
        worker,
        actor,
        (reader) => everythingWrong(reader, actor, signal),
        signal,
      )
      if (wrong.length > 0) {
        throw new AkashiError('conflict', wrong.join('; '), {
          hint: 'run akashi verify; undo the change, end the named transaction or session, or see docs/runbooks/ledger.md',
        })
      }
      return {}
    },
    'ledger.thin': async ({ worker, actor, signal }) => ({
      thinned: await thinCheckpoints(worker, actor, parts.store, signal),
    }),
    'ledger.publish': async ({ worker, actor, log, signal }) => {
      const { opened, failed } = await openEpochsWhereNeeded(worker, actor, parts.keyring, parts.store)
      for (const { log: name, epoch, cause, reason } of opened) {
        log.error({ log: name, epoch, cause, reason }, 'the log continues in a new epoch')
      }
      const done = {
        opened: opened.map(({ log: name, epoch, cause }) => ({ log: name, epoch, cause })),
        published: await publishCheckpoints(worker, actor, parts.store, new Set(failed.keys())),
        cosigned: await submitToWitnesses(worker, actor, log, signal),
      }
      for (const error of failed.values()) throw error
      return done
    },
  }
}
