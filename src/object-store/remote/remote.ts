/**
 * Interface between {@link RemoteStore} and the driver of a network store: each method is one attempt at one
 * request. Retries, time limits, digests, cancellation and errors are shared and live beside this file.
 *
 * name: name of the object in the bucket, which is the prefix of the URL followed by the key.
 * nonce: random per put; lets a writer whose response was lost recognise its own object.
 */
import type { Readable } from 'node:stream'

/** Metadata names of every object; all stores allow letters and digits. */
export const SHA256_LABEL = 'akashisha256'
export const NONCE_LABEL = 'akashiput'

export interface StoredObject {
  /** Length in bytes of the whole object. */
  readonly size: number
  readonly lastModified: Date
  /** undefined if the object was copied without its metadata, or is not Akashi's. */
  readonly sha256: string | undefined
  readonly nonce: string | undefined
  /** ETag or generation: changes with every overwrite. */
  readonly version: string
  /** In an archive tier: must be thawed before it can be read. */
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

/** An upload in progress; invisible to readers before `commit`. */
export interface Upload {
  /** `index` from 0. */
  part(index: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  commit(labels: Labels, signal: AbortSignal): Promise<void>
  /** Discards what was sent. */
  abort(signal: AbortSignal): Promise<void>
}

export interface OpenedObject {
  readonly object: StoredObject
  readonly stream: Readable
}

export interface Page {
  readonly entries: readonly {
    readonly name: string
    /** undefined if the listing does not tell all of it. */
    readonly object?: Pick<StoredObject, 'size' | 'lastModified' | 'frozen'>
  }[]
  readonly next: string | undefined
}

export interface FolderPage {
  /** Each begins with the prefix and ends with a slash. */
  readonly folders: readonly string[]
  readonly next: string | undefined
}

/** Failures, classified by how they are handled. */
export type Failure =
  /** no such object, or no such upload */
  | 'absent'
  /** the object already exists, or the requested version is gone */
  | 'precondition'
  /** another writer is writing the same key */
  | 'contended'
  | 'frozen'
  /** the range is outside the object */
  | 'range'
  | 'forbidden'
  /** bucket, region, endpoint or a parameter is wrong */
  | 'misconfigured'
  /** rate limited; retryable */
  | 'throttled'
  /** retryable */
  | 'passing'
  | 'other'

export interface Explanation {
  readonly failure: Failure
  /** Error code of the store or system, such as `SlowDown`; never a secret. */
  readonly reason: string
}

export interface Remote {
  /** Without credentials. */
  readonly location: string
  /** Maximum number of parts of an object. */
  readonly maxParts: number
  readonly partsAtOnce: number
  /** The store accepts metadata when an upload is committed, not only when it begins. */
  readonly labelsAtCommit: boolean
  /** Supports object lock until a given time. */
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
  /** The bytes from `start` to `end` (exclusive; undefined: to the last), only of `version` if given. */
  open(
    name: string,
    range: { readonly start: number; readonly end: number | undefined },
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<OpenedObject>
  head(name: string, signal: AbortSignal): Promise<StoredObject | null>
  /** Names that start with `prefix`, in byte order, after `after`; may include some at or before it. */
  page(prefix: string, after: string, token: string | undefined, signal: AbortSignal): Promise<Page>
  /** What names that start with `prefix` have from there to the next slash, that included; each once, in byte order. */
  folders(prefix: string, token: string | undefined, signal: AbortSignal): Promise<FolderPage>
  delete(name: string, signal: AbortSignal): Promise<void>
  /** Requests that a frozen object becomes readable; absent in stores without archive tiers. */
  thaw?(name: string, signal: AbortSignal): Promise<void>
  explain(error: unknown): Explanation
}
