import {
  logs,
  publishCheckpoints,
  publishedNotes,
  recordVerification,
  seal,
  trustedWitnesses,
  type VerifyReport,
  verifierKeys,
  verify,
  witnessAddress,
  witnessedNotes,
  witnessHeads,
} from '../audit/index.ts'
import { AkashiError } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { archivedRows } from '../lifecycle/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Database } from '../postgres/index.ts'
import type { Logger } from './log.ts'
import { type Loop, runLoop } from './loops.ts'
import type { Task } from './schedule/index.ts'

/** Milliseconds between two rounds of the sealer: a committed row waits about as long, and never a second. */
export const SEAL_INTERVAL_MS = 250

export interface LedgerParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
}

/** Verifies every log against the keys and the published checkpoints, and keeps what was found. */
export async function verifyAndRecord(
  database: Database,
  { keyring, store }: LedgerParts,
  options: {
    readonly signal?: AbortSignal
    readonly onAway?: (witness: string, error: AkashiError) => void
  } = {},
): Promise<VerifyReport> {
  const { signal, onAway = () => undefined } = options
  const startedAt = new Date()
  const report = await verify(database, {
    verifierKeys: verifierKeys(keyring),
    published: (log) => elsewhere(database, store, log, onAway),
    archived: archivedRows(database, store),
    ...(signal === undefined ? {} : { signal }),
  })
  await recordVerification(database, startedAt, report)
  return report
}

/** Every checkpoint of a log that is kept outside the database. */
async function* elsewhere(
  database: Database,
  store: ObjectStore,
  log: string,
  onAway: (witness: string, error: AkashiError) => void,
): AsyncIterable<string> {
  yield* publishedNotes(store, log)
  yield* witnessedNotes(database, log, onAway)
}

/**
 * Submits every head to every trusted witness. One that is away is told and stops nothing; one that saw
 * another history makes it fail with `integrity`.
 */
async function submitToWitnesses(database: Database, log: Logger, signal: AbortSignal): Promise<number> {
  const witnesses = await trustedWitnesses(database)
  const outcomes = await witnessHeads(database, witnesses.map(witnessAddress), { signal })
  for (const { witness, log: name, error } of outcomes) {
    if (error?.code === 'integrity') throw error
    if (error !== null) log.warn({ witness, log: name, err: error }, 'a witness did not cosign')
  }
  return outcomes.filter(({ cosigned }) => cosigned !== null).length
}

/** The ledger's jobs of the timetable. */
export function ledgerTasks(parts: LedgerParts): Readonly<Record<string, Task>> {
  return {
    'ledger.verify': async ({ database, signal }) => {
      const report = await verifyAndRecord(database, parts, { signal })
      const problems = report.logs.flatMap((log) => log.problems)
      if (!report.ok) {
        throw new AkashiError(
          'integrity',
          `verification found ${problems.length} problems, first: ${problems[0]?.detail}`,
          {
            hint: 'run akashi verify',
          },
        )
      }
      return { checked: report.logs.reduce((sum, log) => sum + log.checked, 0) }
    },
    'ledger.publish': async ({ database, log, signal }) => ({
      published: await publishCheckpoints(database, parts.store),
      cosigned: await submitToWitnesses(database, log, signal),
    }),
  }
}

/** Seals what was committed, again and again, in one process at a time. */
export function sealLoop(options: {
  readonly database: Database
  readonly keyring: Keyring
  readonly signal: AbortSignal
  readonly log: Logger
}): Loop {
  const { database, keyring, signal, log } = options
  return runLoop({
    name: 'seal',
    database,
    intervalMs: SEAL_INTERVAL_MS,
    signal,
    log,
    work: async (context) => {
      for (const definition of logs) await seal(context.database, keyring, definition, context.signal)
    },
  })
}
