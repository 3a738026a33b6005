import type { ArchivedRows } from '../archived.ts'
import type { Trust } from '../policy/verify-trust.ts'
import type { ListedCheckpoint } from '../published.ts'
import type { LogKey } from '../verifier-keys.ts'
import type { LogReport } from './problems.ts'

/** One statement of a verification hashes a whole table; this bounds it, in milliseconds. */
export const VERIFY_TIMEOUT_MS = 4 * 60 * 60 * 1000

export interface VerifyOptions {
  /** Whose signatures count for the log of an origin, oldest first. */
  readonly verifierKeys: (origin: string) => Promise<readonly LogKey[]>
  /** Default full. Incremental goes on from the last verification that found nothing; without one it is full. */
  readonly mode?: 'full' | 'incremental'
  /**
   * Checkpoints that were published outside the database, by log: signed notes, or sizes alone of those that need
   * not be compared. Those of a size below `from` were checked before and may be left out.
   */
  readonly published?: (log: string, from: bigint) => AsyncIterable<string | ListedCheckpoint>
  /** False for a copy, whose catalog is that of an earlier program and says nothing of the running system. */
  readonly catalog?: boolean
  /** Hashes every row in this program too, and not only a sample. */
  readonly secondOpinion?: boolean
  /** What origin, keys and witnesses are compared with. */
  readonly trust?: Trust
  /** Rows that left the database; without it an entry whose row is not there is one that was removed. */
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
    ...(signal === undefined ? {} : { signal }),
  } as const
}
