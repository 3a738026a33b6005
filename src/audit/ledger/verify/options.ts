import type { ArchivedRows } from '../archived.ts'
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
   * Signed notes of checkpoints that were published outside the database, by log. Those of a size below
   * `from` were looked at before and may be left out.
   */
  readonly published?: (log: string, from: bigint) => AsyncIterable<string>
  /** Rows that left the database; without it an entry whose row is not there is one that was removed. */
  readonly archived?: ArchivedRows
  readonly signal?: AbortSignal
  /** Called after each log. */
  readonly onLog?: (report: LogReport) => void
  /** Called for each archived object whose rows were hashed. */
  readonly onObject?: (log: string, object: string) => void
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
