import { given } from '../../../foundation/index.ts'
import type { ArchivedRows } from '../archived.ts'
import type { Trust } from '../policy/verify-trust.ts'
import type { ListedCheckpoint } from '../published.ts'
import type { LogKey } from '../verifier-keys.ts'
import type { LogReport } from './problems.ts'

/** Milliseconds for one statement of a verification, which may hash a whole table. */
export const VERIFY_TIMEOUT_MS = 4 * 60 * 60 * 1000

export interface VerifyOptions {
  /** Keys whose signatures are valid for the log of an origin, oldest first. */
  readonly verifierKeys: (origin: string) => Promise<readonly LogKey[]>
  /** Default full. Incremental resumes after the last verification without problems; without one it is full. */
  readonly mode?: 'full' | 'incremental'
  /**
   * Checkpoints that were published outside the database, by log: signed notes, or only the sizes of those that need
   * not be compared. Those smaller than `from` were checked before and may be omitted.
   */
  readonly published?: (log: string, from: bigint) => AsyncIterable<string | ListedCheckpoint>
  /** False for a restored copy, whose catalog may be that of an earlier program. */
  readonly catalog?: boolean
  /** Hashes every row in this process as well, not only a sample. */
  readonly secondOpinion?: boolean
  /** The expected origin, keys and witnesses. */
  readonly trust?: Trust
  /** Archived rows; without it an entry without a row is reported as removed. */
  readonly archived?: ArchivedRows
  readonly signal?: AbortSignal
  /** Called after each log. */
  readonly onLog?: (report: LogReport) => void
  /** Called for each archived object whose rows were hashed. */
  readonly onObject?: (log: string, object: string) => void
}

/** The same options with keys that are read once for each origin. */
export function withCachedKeys<Options extends VerifyOptions>(options: Options): Options {
  const known = new Map<string, Promise<readonly LogKey[]>>()
  const verifierKeys: VerifyOptions['verifierKeys'] = (origin) => {
    const keys = known.get(origin) ?? options.verifierKeys(origin)
    known.set(origin, keys)
    return keys
  }
  return { ...options, verifierKeys }
}

/** One snapshot that changes nothing. */
export function verifyTransaction({ signal }: Pick<VerifyOptions, 'signal'>) {
  return {
    isolation: 'repeatable read',
    readOnly: true,
    timeoutMs: VERIFY_TIMEOUT_MS,
    ...given({ signal }),
  } as const
}
