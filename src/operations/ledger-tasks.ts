import {
  describeHolder,
  type ListedCheckpoint,
  type LogReport,
  logs,
  openEpochsWhereNeeded,
  publishCheckpoints,
  publishedNotes,
  readOrigins,
  recordVerification,
  scrub,
  seal,
  trustedWitnesses,
  type VerifyMode,
  type VerifyReport,
  verifierKeys,
  verify,
  watchLedger,
  watchWitnesses,
  witnessAddress,
  witnessedNotes,
  witnessHeads,
} from '../audit/index.ts'
import { AkashiError, given, type Log } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { archivedRows } from '../lifecycle/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { describeLeaderLock, watchLeaderLocks } from './leader-locks.ts'
import { type Loop, runLoop } from './loops.ts'
import type { Task } from './schedule/index.ts'

/** Milliseconds between two rounds of the sealer; a committed row waits about this long. */
export const SEAL_INTERVAL_MS = 250

export interface LedgerParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
}

/** Verifies every log against the keys and the published checkpoints, and records the result. */
export async function verifyAndRecord(
  database: Database,
  actor: Actor,
  { keyring, store }: LedgerParts,
  options: {
    /** Default full. */
    readonly mode?: VerifyMode
    /** Hashes every row in this program too. */
    readonly secondOpinion?: boolean
    readonly signal?: AbortSignal
    readonly onAway?: (witness: string, error: AkashiError) => void
  } = {},
): Promise<VerifyReport> {
  const { mode = 'full', secondOpinion = false, signal, onAway = () => undefined } = options
  const startedAt = new Date()
  const objects = new Map<string, string[]>()
  const parts = {
    verifierKeys: verifierKeys(keyring),
    published: (log: string, from: bigint) => externalNotes(database, actor, store, log, from, onAway),
    onObject: (log: string, object: string) => objects.set(log, [...(objects.get(log) ?? []), object]),
    archived: archivedRows(database, actor, store),
    secondOpinion,
    ...given({ signal }),
  }
  const report =
    mode === 'scrub' ? await scrub(database, actor, parts) : await verify(database, actor, { ...parts, mode })
  await recordVerification(database, actor, startedAt, report, objects)
  return report
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

/** Every checkpoint of a log outside the database: published ones and those of witnesses. */
async function* externalNotes(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  log: string,
  from: bigint,
  onAway: (witness: string, error: AkashiError) => void,
): AsyncIterable<string | ListedCheckpoint> {
  yield* publishedNotes(store, log, from)
  yield* witnessedNotes(database, actor, log, onAway)
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

/** The tasks of the ledger's scheduled jobs. */
export function ledgerTasks(parts: LedgerParts): Readonly<Record<string, Task>> {
  return {
    'ledger.verify': verification(parts, 'full'),
    'ledger.verify_incremental': verification(parts, 'incremental'),
    'ledger.scrub': verification(parts, 'scrub'),
    'ledger.watch': async ({ worker, actor }) => {
      const { triggers, catalog, holders } = await watchLedger(worker, actor)
      const wrong = [
        ...triggers.map(({ table, problem }) => `${table}: ${problem}`),
        ...catalog.map(({ object, detail }) => `${object}: ${detail}`),
        ...holders.map(describeHolder),
        ...(await watchLeaderLocks(worker, actor)).map(describeLeaderLock),
      ]
      if (wrong.length > 0) {
        throw new AkashiError('conflict', wrong.join('; '), {
          hint: 'run akashi verify; undo the change, or end the named transaction or session',
        })
      }
      return {}
    },
    'ledger.publish': async ({ worker, actor, log, signal }) => {
      const opened = await openEpochsWhereNeeded(worker, actor, parts.keyring, parts.store)
      for (const { log: name, epoch, cause, reason } of opened) {
        log.error({ log: name, epoch, cause, reason }, 'the log continues in a new epoch')
      }
      return {
        opened: opened.map(({ log: name, epoch, cause }) => ({ log: name, epoch, cause })),
        published: await publishCheckpoints(worker, actor, parts.store),
        cosigned: await submitToWitnesses(worker, actor, log, signal),
      }
    },
  }
}

/** Seals committed rows continuously, in one process at a time. */
export function sealLoop(options: {
  readonly worker: Database
  readonly keyring: Keyring
  readonly signal: AbortSignal
  readonly log: Log
}): Loop {
  const { worker, keyring, signal, log } = options
  return runLoop({
    name: 'seal',
    worker,
    intervalMs: SEAL_INTERVAL_MS,
    signal,
    log,
    work: async (context) => {
      for (const definition of logs)
        await seal(context.worker, context.actor, keyring, definition, context.signal)
    },
  })
}
