/**
 * An object store holds immutable byte strings under keys. Five verbs, the same for every driver.
 *
 * key: slash-separated segments of `[A-Za-z0-9._=+-]`, 1–255 bytes each and none of them `.` or `..`,
 * 1–1,024 bytes in all. No key is the folder of another (`a` beside `a/b`): a driver on a file system
 * refuses the later one with `conflict`. Keys that differ only in case are not to be relied on.
 * sha256: lowercase hex over the object's bytes, computed by Akashi itself and kept with the object.
 */
import type { Readable } from 'node:stream'

export interface ObjectHead {
  readonly key: string
  /** Length in bytes. */
  readonly size: number
  /** Lowercase hex of the SHA-256 over the bytes, as computed while they were put. */
  readonly sha256: string
  readonly lastModified: Date
  /** In an archive tier: a get fails with `unavailable` until it is thawed. */
  readonly frozen?: true
}

export interface PutOptions {
  /** Fail with `already_exists` when the key is taken; exactly one of many racing writers wins. */
  readonly ifAbsent?: boolean
  /** Refuse (`integrity`) and store nothing when the bytes hash to anything else. */
  readonly sha256?: string
  /** Nobody can delete or replace these bytes before then. `unsupported` in a store without object lock. */
  readonly retainUntil?: Date
  readonly signal?: AbortSignal
}

export interface GetOptions {
  /**
   * Byte range, `end` exclusive; without `end`, or with one past the last byte, to the last byte. A range
   * that selects nothing is `invalid_input`. A part is not checked against the SHA-256 of the whole.
   */
  readonly range?: { readonly start: number; readonly end?: number }
  readonly signal?: AbortSignal
}

export interface ListOptions {
  /** Return keys strictly after this one (keyset pagination). */
  readonly after?: string
  readonly signal?: AbortSignal
}

/** `thawing` takes minutes to days; asking again is how one waits for `readable`. */
export type Thaw = 'readable' | 'thawing'

export interface ObjectStore {
  /** Where this store is, without credentials, e.g. `file:/var/lib/akashi/objects`. */
  readonly location: string
  /** Durable when it resolves; readers never see a part of an object. */
  put(key: string, body: Readable | Uint8Array, options?: PutOptions): Promise<ObjectHead>
  /** `not_found` when there is none, `unavailable` with `detail.frozen` when it is frozen. A whole get fails with `integrity` at its end when the bytes do not match their SHA-256. */
  get(key: string, options?: GetOptions): Promise<Readable>
  /** null when there is none. */
  head(key: string): Promise<ObjectHead | null>
  /** Heads in ascending byte order of their keys. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectHead>
  /** Idempotent: deleting what is not there is no error. */
  delete(key: string): Promise<void>
  /**
   * Has a frozen object made readable, for a week where the store gives it back for a time only.
   * Idempotent. Missing in a driver whose objects never freeze.
   */
  thaw?(key: string, options?: { readonly signal?: AbortSignal }): Promise<Thaw>
}
