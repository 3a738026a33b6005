/**
 * What verification can find.
 *
 * changed: a row no longer hashes to its entry. removed: an entry, or a row that is neither
 * in the database nor archived nor retired, is gone. added: a
 * row below the frontier has no entry. reordered: entries stand at each other's positions. unsealed: a
 * row that the sealer should have taken long ago. backdated: a row claims a time at which its transaction had not begun.
 * checkpoint: the tree, its head or a published
 * checkpoint disagree. trigger: a trigger that records or guards is missing or disabled. catalog: an object that the
 * proof stands on is not the one that the program ships, or was changed by a transaction that is not recorded.
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

export interface Problem {
  readonly kind: ProblemKind
  /** Position in the log as a decimal, null where there is none. */
  readonly position: string | null
  /** The row's id, or the name of the thing that is wrong. */
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
 * full: everything. incremental: what came since the last verification without a problem. scrub: a bounded
 * part of what was hashed longest ago.
 */
export type VerifyMode = 'full' | 'incremental' | 'scrub'

export interface RetiredBy {
  /** The table, how long its rows were kept, and who decided that when. */
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
  /** The last row, in the order of the ledger, that is in the tree. */
  readonly frontier: { readonly xid: string; readonly seq: string }
  /** The position from which entries were looked at; not 0 when the first ones were verified before. */
  readonly from: string
  /** Rows whose hash was computed and compared. */
  readonly checked: number
  /** Entries whose rows retention removed, each covered by a signed record. */
  readonly retired: number
  /** What retention removed, by the policy that each signed record names. */
  readonly retiredBy: readonly RetiredBy[]
  /** Archived objects whose rows were neither checked nor missed. */
  readonly unread: readonly UnreadObject[]
  readonly problems: readonly Problem[]
  /** Problems beyond MAX_PROBLEMS, counted and not listed. */
  readonly unlisted: number
}

export interface VerifyReport {
  readonly mode: VerifyMode
  readonly ok: boolean
  readonly logs: readonly LogReport[]
  /** What trust is based on, and what was not checked. */
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
