/**
 * What a driver of a store over the network does for {@link RemoteStore}: one attempt at one request each.
 * Retries, time limits, digests, cancellation and the errors that callers see are the same for all of them
 * and live beside this file.
 *
 * name: what the object is called in the bucket, the prefix of the URL in front of its key.
 * nonce: random, of one put; tells a writer whose answer was lost that the object there is its own.
 */
import type { Readable } from 'node:stream'

/** Names of the metadata that every object carries; stores allow letters and digits in common. */
export const SHA256_LABEL = 'akashisha256'
export const NONCE_LABEL = 'akashiput'

export interface StoredObject {
  /** Length in bytes of the whole object. */
  readonly size: number
  readonly lastModified: Date
  /** undefined when the object was not put by Akashi. */
  readonly sha256: string | undefined
  readonly nonce: string | undefined
  /** ETag or generation: changes with every overwrite. */
  readonly version: string
  /** In an archive tier: it has to be thawed before it can be read. */
  readonly frozen: boolean
}

export interface Labels {
  readonly sha256: string
  readonly nonce: string
}

export interface WriteConditions {
  readonly ifAbsent: boolean
  readonly retainUntil: Date | undefined
}

/** An object in the making; nobody sees it before `commit`. */
export interface Upload {
  /** `index` from 0. */
  part(index: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  commit(labels: Labels, signal: AbortSignal): Promise<void>
  /** Takes away what was sent. */
  abort(signal: AbortSignal): Promise<void>
}

export interface OpenedObject {
  readonly object: StoredObject
  readonly stream: Readable
}

export interface Page {
  readonly entries: readonly {
    readonly name: string
    /** undefined when the store lists without metadata. */
    readonly object?: StoredObject
  }[]
  readonly next: string | undefined
}

/** What went wrong, told apart by what follows from it. */
export type Failure =
  /** no such object, or no such upload */
  | 'absent'
  /** put-if-absent found one, or the version asked for is gone */
  | 'precondition'
  /** another writer is at the same key at the same moment */
  | 'contended'
  | 'frozen'
  /** the range selects nothing */
  | 'range'
  | 'forbidden'
  /** bucket, region, endpoint or a parameter are wrong */
  | 'misconfigured'
  /** the store asks for fewer requests; another attempt may do */
  | 'throttled'
  /** another attempt may do */
  | 'passing'
  | 'other'

export interface Explanation {
  readonly failure: Failure
  /** The store's or the system's name for it, such as `SlowDown`; never a secret. */
  readonly reason: string
}

export interface Remote {
  /** Without credentials. */
  readonly location: string
  /** Parts that one object can have. */
  readonly maxParts: number
  readonly partsAtOnce: number
  /** The store takes metadata when an upload is committed, not only before its first byte. */
  readonly labelsAtCommit: boolean
  /** Can keep an object from being deleted before a time. */
  readonly canRetain: boolean

  putWhole(
    name: string,
    bytes: Uint8Array,
    labels: Labels,
    conditions: WriteConditions,
    signal: AbortSignal,
  ): Promise<void>
  /** `labels.sha256` is undefined only with `labelsAtCommit`. */
  begin(
    name: string,
    labels: { readonly sha256: string | undefined; readonly nonce: string },
    conditions: WriteConditions,
    signal: AbortSignal,
  ): Promise<Upload>
  /** The bytes from `start` to `end` (exclusive; undefined: to the last), of `version` alone when it is given. */
  open(
    name: string,
    range: { readonly start: number; readonly end: number | undefined },
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<OpenedObject>
  head(name: string, signal: AbortSignal): Promise<StoredObject | null>
  /** Names that start with `prefix` and come after `after`, or some before it as well, in byte order. */
  page(prefix: string, after: string, token: string | undefined, signal: AbortSignal): Promise<Page>
  delete(name: string, signal: AbortSignal): Promise<void>
  /** Asks for a frozen object to become readable; in a store that freezes none, it is missing. */
  thaw?(name: string, signal: AbortSignal): Promise<void>
  explain(error: unknown): Explanation
}
