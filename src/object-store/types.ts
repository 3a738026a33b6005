/**
 * An object store keeps immutable byte strings under keys. All drivers have the same operations.
 *
 * key: slash-separated segments of `[A-Za-z0-9._=+-]`, 1–255 bytes each and none of them `.` or `..`,
 * 1–1,024 bytes in all. No key is the folder of another (`a` beside `a/b`): a driver on a file system
 * refuses the later one with `conflict`. Do not rely on keys that differ only in case.
 * sha256: lowercase hex over the object's bytes, computed by Akashi and stored with the object.
 */
import type { Readable } from 'node:stream'

/** An object in a listing, without a request for each. */
export interface ListedObject {
  readonly key: string
  /** Length in bytes. */
  readonly size: number
  readonly lastModified: Date
  /** In an archive tier: a get fails with `unavailable` until it is thawed. */
  readonly frozen?: true
}

export interface ObjectHead extends ListedObject {
  /**
   * Lowercase hex SHA-256 of the bytes, computed while they were put; of an object that was copied without its
   * metadata, of what is stored now, which takes reading it.
   */
  readonly sha256: string
}

export interface PutOptions {
  /** Fail with `already_exists` if the key exists; exactly one of many racing writers wins. */
  readonly ifAbsent?: boolean
  /** Expected digest: on a mismatch fail with `integrity` and store nothing. */
  readonly sha256?: string
  /** Object lock: prevents deletion and overwriting before then. `unsupported` in a store without it. */
  readonly retainUntil?: Date
  readonly signal?: AbortSignal
}

export interface GetOptions {
  /**
   * Byte range, `end` exclusive; without `end`, or with one past the last byte, to the last byte. An
   * empty range is `invalid_input`. A range is not checked against the SHA-256 of the object.
   */
  readonly range?: { readonly start: number; readonly end?: number }
  readonly signal?: AbortSignal
}

export interface ListOptions {
  /** Return keys strictly after this one (keyset pagination). */
  readonly after?: string
  readonly signal?: AbortSignal
}

/** `thawing` takes minutes to days; poll until `readable`. */
export type Thaw = 'readable' | 'thawing'

export interface ObjectStore {
  /** Location without credentials, e.g. `file:/var/lib/akashi/objects`. */
  readonly location: string
  /** Durable when it resolves; readers never see a partial object. */
  put(key: string, body: Readable | Uint8Array, options?: PutOptions): Promise<ObjectHead>
  /** `not_found` if absent, `unavailable` with `detail.frozen` if frozen. Reading a whole object fails at its end with `integrity` if the bytes do not match the SHA-256; one that was copied without its metadata has none to match. */
  get(key: string, options?: GetOptions): Promise<Readable>
  /** null if absent. */
  head(key: string): Promise<ObjectHead | null>
  /** In ascending byte order of the keys; as many requests as there are pages. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject>
  /**
   * The folders directly below a folder that hold objects, in ascending byte order: prefixes that end with a slash.
   * Their contents are not read, so it takes as many requests as there are pages of folders.
   *
   * @param folder `''`, or ends with a slash
   */
  listFolders(folder: string, options?: Pick<ListOptions, 'signal'>): AsyncIterable<string>
  /** Idempotent: deleting an absent object is not an error. */
  delete(key: string): Promise<void>
  /**
   * Requests that a frozen object becomes readable, for a week if the store thaws temporarily.
   * Idempotent. Absent in drivers without archive tiers.
   */
  thaw?(key: string, options?: { readonly signal?: AbortSignal }): Promise<Thaw>
}
