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
