import { formatLsn, type Lsn } from '../../postgres/index.ts'

/**
 * unrecorded: a change without a row in the trail. unmatched: a row of the trail without a change. different:
 * they show different values. trail_changed: the trail itself was changed. state: a table does not hold what
 * the trail says. unwatched: changes of a table could not be seen.
 */
export type DiscrepancyKind =
  | 'unrecorded'
  | 'unmatched'
  | 'different'
  | 'trail_changed'
  | 'state'
  | 'unwatched'

/** As akashi_audit.record_discrepancies() takes it. */
export interface Found {
  readonly kind: DiscrepancyKind
  /** A finding that is found again has the same place. */
  readonly place: string
  readonly xid?: number
  readonly commit_lsn?: string
  /** ISO 8601. */
  readonly committed_at?: string
  readonly schema_name?: string
  readonly table_name?: string
  readonly operation?: string
  readonly record_id?: string
  readonly login?: string
  readonly detail: string
}

/** The transaction that a finding is about. */
export interface Committed {
  readonly xid: number
  readonly commit: Lsn
  /** Microseconds since 1970. */
  readonly committedAt: bigint
}

export function committedFields({ xid, commit, committedAt }: Committed) {
  return {
    xid,
    commit_lsn: formatLsn(commit),
    committed_at: new Date(Number(committedAt / 1000n)).toISOString(),
  }
}
