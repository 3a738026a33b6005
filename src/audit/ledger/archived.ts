/**
 * Rows that have left the database. The archive implements this interface, so that verification and the scrub
 * can still check them; the ledger's entries stay in the database.
 */

/** One immutable object with rows of one partition. */
export interface ArchivedObject {
  readonly name: string
  readonly partition: string
  readonly rows: bigint
  /** Bounds of `created_at`, the upper one exclusive. */
  readonly from: Date
  readonly to: Date
  readonly firstPosition: bigint
  readonly lastPosition: bigint
}

export interface ArchivedEntry {
  readonly position: bigint
  readonly rowId: string
  readonly createdAt: Date
  /** 32 bytes: the canonical encoding of the row as the object holds it, hashed. */
  readonly entryHash: Uint8Array
}

/** Rows that left the database. Positions within an object ascend but need not be contiguous. */
export interface ArchivedRows {
  objects(log: string, signal?: AbortSignal): Promise<readonly ArchivedObject[]>
  /**
   * Hashes recomputed from the object's bytes, in ascending position.
   *
   * @throws AkashiError not_found or integrity when the object is missing or differs from what was stored
   * (verification reports it); unavailable while it is frozen or its store cannot be reached (verification
   * lists it as unread)
   */
  entries(object: ArchivedObject, signal?: AbortSignal): AsyncIterable<readonly ArchivedEntry[]>
}
