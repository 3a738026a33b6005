/**
 * What verification can find.
 *
 * - changed: a row does not hash to its entry.
 * - removed: an entry is missing, or a row that is neither in the database nor archived nor retired.
 * - added: a row below the frontier has no entry, or a row or an entry exists more than once.
 * - reordered: an entry is at the position of another entry.
 * - unsealed: a row that the sealer should have taken long ago.
 * - backdated: a row has a time before its transaction began.
 * - checkpoint: the tree, its head or a published checkpoint disagree.
 * - trigger: a trigger that records or guards is missing or disabled.
 * - catalog: an object that verification relies on differs from the one in the program, or was changed by a
 *   transaction that is not recorded.
 * - crosscheck: the trail, the tables and the write-ahead log disagree.
 */
export type ProblemKind =
  | 'changed'
  | 'removed'
  | 'added'
  | 'reordered'
  | 'unsealed'
  | 'backdated'
  | 'checkpoint'
  | 'trigger'
  | 'catalog'
  | 'crosscheck'

export interface Problem {
  readonly kind: ProblemKind
  /** Position in the log as a decimal, null where there is none. */
  readonly position: string | null
  /** The row's id, or the name of the object that has the problem. */
  readonly id: string | null
  readonly detail: string
}

/** An archived object that could not be read for now, e.g. because its storage is frozen. */
export interface UnreadObject {
  readonly object: string
  /** Positions as decimals. */
  readonly firstPosition: string
  readonly lastPosition: string
  readonly reason: string
}

/**
 * full: everything. incremental: everything since the last verification without a problem. scrub: a bounded part,
 * starting with what was hashed longest ago.
 */
export type VerifyMode = 'full' | 'incremental' | 'scrub'

export interface RetiredBy {
  /** The table, its retention, and who set it when. */
  readonly policy: string
  readonly records: number
  readonly rows: number
  /** RFC 3339: the range of time that they cover. */
  readonly from: string
  readonly to: string
}

export interface LogReport {
  readonly log: string
  readonly epoch: number
  readonly size: string
  /** Base64 of the root that the head claims. */
  readonly root: string
  /** The signed note of the head; null before the first entry. */
  readonly checkpoint: string | null
  /** The last sealed row. */
  readonly frontier: { readonly xid: string; readonly seq: string }
  /** Position of the first entry that was checked; 0 unless earlier entries were verified before. */
  readonly from: string
  /** Rows whose hash was computed and compared. */
  readonly checked: number
  /** Entries whose rows retention removed, each covered by a signed record. */
  readonly retired: number
  /** What retention removed, by the policy that each signed record names. */
  readonly retiredBy: readonly RetiredBy[]
  /** Archived objects that could not be read: their rows are not checked. */
  readonly unread: readonly UnreadObject[]
  readonly problems: readonly Problem[]
  /** Problems beyond MAX_PROBLEMS, counted and not listed. */
  readonly unlisted: number
}

export interface VerifyReport {
  readonly mode: VerifyMode
  readonly ok: boolean
  readonly logs: readonly LogReport[]
  /** What trust is based on, and what could not be checked. */
  readonly notes?: readonly string[]
}

/** Problems listed per log; the rest are counted. */
export const MAX_PROBLEMS = 1_000

/** Collects problems up to {@link MAX_PROBLEMS}. */
export class ProblemList {
  readonly listed: Problem[] = []
  unlisted = 0

  add(kind: ProblemKind, position: bigint | string | null, id: string | null, detail: string): void {
    if (this.listed.length >= MAX_PROBLEMS) this.unlisted += 1
    else this.listed.push({ kind, position: position === null ? null : position.toString(), id, detail })
  }
}
