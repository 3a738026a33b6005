/** An object store over a {@link Remote}: the behaviour that all network drivers share. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { AkashiError } from '../../foundation/index.ts'
import { cannotRetain, taken, throwIfCancelled, wrongDigest } from '../errors.ts'
import { assertFolder, assertKey, assertPrefix, isKey, resolveRange } from '../key.ts'
import type {
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectHead,
  ObjectStore,
  PutOptions,
  Thaw,
} from '../types.ts'
import { remoteError } from './failure.ts'
import { partsOf } from './parts.ts'
import { RemoteReader } from './reader.ts'
import type { Failure, Remote, StoredObject } from './remote.ts'
import { RETRY_LIMITS, RemoteFailure, type RetryLimits, retrying } from './retry.ts'
import { spool } from './spool.ts'
import { type PendingUpload, uploadParts } from './upload.ts'

const NONCE_BYTES = 16
/** Objects up to this size are sent in one request, larger ones in parts of this size. */
export const PART_BYTES = 8 * 1024 * 1024
/** Heads that `list` requests concurrently. */
const LIST_BATCH = 32
/** Attempts of a put that collides with another writer. */
const CONTENDED_TRIES = 5
/** Attempts of a get whose object is overwritten between two requests. */
const OVERTAKEN_TRIES = 10

export class RemoteStore implements ObjectStore {
  readonly location: string
  readonly thaw?: (key: string, options?: { readonly signal?: AbortSignal }) => Promise<Thaw>
  readonly #remote: Remote
  /** `''` or ends with a slash. */
  readonly #prefix: string
  readonly #limits: RetryLimits

  constructor(remote: Remote, prefix: string, limits: RetryLimits = RETRY_LIMITS) {
    this.#remote = remote
    this.#prefix = prefix
    this.#limits = limits
    this.location = remote.location
    if (remote.thaw !== undefined) this.thaw = (key, options) => this.#thaw(key, options?.signal)
  }

  async put(key: string, body: Readable | Uint8Array, options: PutOptions = {}): Promise<ObjectHead> {
    try {
      const name = this.#name(key)
      throwIfCancelled(options.signal, key)
      if (options.retainUntil !== undefined && !this.#remote.canRetain) throw cannotRetain(this.location)
      const pending: PendingUpload = {
        remote: this.#remote,
        limits: this.#limits,
        key,
        name,
        nonce: randomBytes(NONCE_BYTES).toString('hex'),
        conditions: { ifAbsent: options.ifAbsent ?? false, retainUntil: options.retainUntil },
        signal: options.signal,
        commit: (attempt) => this.#commit(pending, attempt),
      }
      const stored = await this.#send(pending, body, options)
      return await this.#confirm(pending, stored)
    } catch (error) {
      if (body instanceof Readable) body.destroy()
      throwIfCancelled(options.signal, key)
      throw this.#asError(error, key)
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<Readable> {
    const name = this.#name(key)
    throwIfCancelled(options.signal, key)
    const { signal } = options
    const { start, end } =
      options.range === undefined
        ? { start: 0, end: undefined }
        : resolveRange(key, Number.MAX_SAFE_INTEGER, options.range)
    const open = (from: number, version: string | undefined) =>
      retrying(this.#remote, this.#limits, key, signal, (stop) =>
        this.#remote.open(name, { start: from, end }, version, stop),
      )
    for (let tries = 1; ; tries++) {
      try {
        const { object, stream } = await open(start, undefined)
        try {
          // Without its metadata, only the writer knows what it should be.
          const { sha256 } = object
          const last =
            options.range === undefined ? object.size : resolveRange(key, object.size, options.range).end
          return new RemoteReader(stream, {
            key,
            start,
            end: last,
            sha256: options.range === undefined ? sha256 : undefined,
            signal,
            idleMs: this.#limits.attemptMs,
            reopen: async (from) => {
              try {
                return (await open(from, object.version)).stream
              } catch (error) {
                throw this.#asError(error, key)
              }
            },
          })
        } catch (error) {
          stream.on('error', () => {})
          stream.destroy()
          throw error
        }
      } catch (error) {
        if (failureOf(error) === 'precondition' && tries < OVERTAKEN_TRIES) continue
        throw this.#asError(error, key)
      }
    }
  }

  async head(key: string): Promise<ObjectHead | null> {
    const found = await this.#find(key, this.#name(key), undefined)
    if (found === null) return null
    return headOf(key, found, found.sha256 ?? (await this.#hash(key)))
  }

  async #hash(key: string): Promise<string> {
    const hash = createHash('sha256')
    for await (const chunk of await this.get(key)) hash.update(chunk as Buffer)
    return hash.digest('hex')
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ListedObject> {
    assertPrefix(prefix)
    const { after = '', signal } = options
    let token: string | undefined
    let last = after
    do {
      throwIfCancelled(signal, prefix)
      const page = await retrying(this.#remote, this.#limits, prefix, signal, (stop) =>
        this.#remote.page(this.#prefix + prefix, after === '' ? '' : this.#prefix + after, token, stop),
      ).catch((error: unknown) => {
        throw this.#asError(error, prefix)
      })
      const entries = page.entries.flatMap(({ name, object }) => {
        const key = name.slice(this.#prefix.length)
        // Names that are not valid keys, such as folder markers of web consoles, are not ours.
        return isKey(key) && key > after ? [{ key, object }] : []
      })
      for (const { key } of entries) {
        if (key <= last) throw unordered(this.location)
        last = key
      }
      for (let at = 0; at < entries.length; at += LIST_BATCH) {
        const batch = entries.slice(at, at + LIST_BATCH)
        const heads = await Promise.all(
          batch.map(async ({ key, object }) => object ?? (await this.#find(key, this.#name(key), signal))),
        )
        for (const [index, { key }] of batch.entries()) {
          const found = heads[index]
          if (found !== null && found !== undefined) yield listedOf(key, found)
        }
      }
      token = page.next
    } while (token !== undefined)
  }

  async *listFolders(folder: string, { signal }: Pick<ListOptions, 'signal'> = {}): AsyncIterable<string> {
    assertFolder(folder)
    let token: string | undefined
    do {
      throwIfCancelled(signal, folder)
      const page = await retrying(this.#remote, this.#limits, folder, signal, (stop) =>
        this.#remote.folders(this.#prefix + folder, token, stop),
      ).catch((error: unknown) => {
        throw this.#asError(error, folder)
      })
      for (const name of page.folders) {
        const found = name.slice(this.#prefix.length)
        // The name of a folder without its slash is a key, or not an object of Akashi.
        if (isKey(found.slice(0, -1))) yield found
      }
      token = page.next
    } while (token !== undefined)
  }

  async delete(key: string): Promise<void> {
    const name = this.#name(key)
    try {
      await retrying(this.#remote, this.#limits, key, undefined, (stop) => this.#remote.delete(name, stop))
    } catch (error) {
      if (failureOf(error) !== 'absent') throw this.#asError(error, key)
    }
  }

  async #thaw(key: string, signal: AbortSignal | undefined): Promise<Thaw> {
    const name = this.#name(key)
    const found = await this.#find(key, name, signal)
    if (found === null) throw remoteError(this.#remote, { failure: 'absent', reason: 'NotFound' }, key)
    if (!found.frozen) return 'readable'
    try {
      await retrying(this.#remote, this.#limits, key, signal, async (stop) => this.#remote.thaw?.(name, stop))
    } catch (error) {
      throw this.#asError(error, key)
    }
    return 'thawing'
  }

  async #send(pending: PendingUpload, body: Readable | Uint8Array, options: PutOptions): Promise<Sent> {
    const { key, signal } = pending
    if (body instanceof Readable) {
      const stop = new AbortController()
      const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
      const parts = partsOf(body, PART_BYTES, key, either)
      const first = await parts.next()
      const second = first.done ? first : await parts.next()
      if (second.done) return this.#sendWhole(pending, first.value ?? new Uint8Array(), options)
      if (pending.conditions.ifAbsent) await this.#assertAbsent(pending)
      const all = chain([first.value ?? new Uint8Array(), second.value], parts)
      if (options.sha256 !== undefined || this.#remote.labelsAtCommit) {
        return uploadParts(pending, all, options.sha256, stop)
      }
      await using spooled = await spool(all, key)
      return await uploadParts(pending, spooled.parts(PART_BYTES), spooled.sha256, stop)
    }
    if (body.length <= PART_BYTES) return this.#sendWhole(pending, body, options)
    const digest = sha256Of(body)
    assertDigest(key, options.sha256, digest)
    if (pending.conditions.ifAbsent) await this.#assertAbsent(pending)
    const stop = new AbortController()
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    const parts = partsOf(body, PART_BYTES, key, either)
    return uploadParts(pending, parts, digest, stop)
  }

  async #sendWhole(pending: PendingUpload, bytes: Uint8Array, options: PutOptions): Promise<Sent> {
    const sha256 = sha256Of(bytes)
    assertDigest(pending.key, options.sha256, sha256)
    await pending.commit((stop) =>
      this.#remote.putWhole(pending.name, bytes, { sha256, nonce: pending.nonce }, pending.conditions, stop),
    )
    return { sha256, size: bytes.length }
  }

  /** Fails early, before the body is sent; the store decides. */
  async #assertAbsent({ key, name, signal }: PendingUpload): Promise<void> {
    if ((await this.#find(key, name, signal)) !== null) throw taken(key)
  }

  /**
   * Sends the request that publishes the object. If the store reports that it exists, the nonce tells whether
   * an earlier attempt of this put created it and its response was lost.
   */
  async #commit(pending: PendingUpload, attempt: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { key, name, nonce, conditions, signal } = pending
    for (let tries = 1; ; tries++) {
      try {
        await retrying(this.#remote, this.#limits, key, signal, attempt)
        return
      } catch (error) {
        const failure = failureOf(error)
        if (failure !== 'precondition' && failure !== 'contended' && failure !== 'absent') throw error
        const found = await this.#find(key, name, signal)
        if (found?.nonce === nonce) return
        if (found !== null && conditions.ifAbsent) throw taken(key)
        if (failure !== 'contended' || tries === CONTENDED_TRIES) throw error
      }
    }
  }

  /** Confirms that the store returns the object as it was sent; detects stores that drop metadata. */
  async #confirm({ key, name, nonce, signal }: PendingUpload, { sha256, size }: Sent): Promise<ObjectHead> {
    const found = await this.#find(key, name, signal)
    if (found?.nonce !== nonce && found?.nonce !== undefined) {
      return { key, size, sha256, lastModified: found.lastModified }
    }
    if (found === null) {
      throw new AkashiError('unavailable', 'the object store does not have the object that it accepted', {
        hint: 'nothing counts as stored; use a store with read-after-write consistency',
        detail: { key },
      })
    }
    if (found.sha256 !== sha256 || found.size !== size) {
      throw new AkashiError('integrity', 'the object store did not keep the object or its metadata', {
        hint: 'use a store that preserves object metadata',
        detail: { key },
      })
    }
    return headOf(key, found, sha256)
  }

  async #find(key: string, name: string, signal: AbortSignal | undefined): Promise<StoredObject | null> {
    try {
      return await retrying(this.#remote, this.#limits, key, signal, (stop) => this.#remote.head(name, stop))
    } catch (error) {
      if (failureOf(error) === 'absent') return null
      throw this.#asError(error, key)
    }
  }

  #name(key: string): string {
    assertKey(key)
    const name = this.#prefix + key
    assertKey(name)
    return name
  }

  #asError(error: unknown, key: string): unknown {
    return error instanceof RemoteFailure ? remoteError(this.#remote, error.explanation, key) : error
  }
}

/** The uploaded object: `sha256` in hex, `size` in bytes. */
interface Sent {
  readonly sha256: string
  readonly size: number
}

async function* chain(
  first: readonly Uint8Array[],
  rest: AsyncGenerator<Uint8Array, undefined>,
): AsyncGenerator<Uint8Array, undefined> {
  yield* first
  yield* rest
}

function failureOf(error: unknown): Failure | undefined {
  return error instanceof RemoteFailure ? error.explanation.failure : undefined
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function listedOf(
  key: string,
  { size, lastModified, frozen }: Omit<ListedObject, 'key' | 'frozen'> & { frozen: boolean },
): ListedObject {
  return { key, size, lastModified, ...(frozen ? { frozen: true } : {}) }
}

function headOf(key: string, object: StoredObject, sha256: string): ObjectHead {
  return { ...listedOf(key, object), sha256 }
}

function assertDigest(key: string, expected: string | undefined, actual: string): void {
  if (expected !== undefined && expected !== actual) throw wrongDigest(key, expected, actual)
}

function unordered(location: string): AkashiError {
  return new AkashiError('unsupported', `${location} does not list in the byte order of its keys`, {
    hint: 'use a general purpose bucket',
  })
}
