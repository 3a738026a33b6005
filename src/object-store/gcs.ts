/**
 * Google Cloud Storage: `gs://bucket/prefix`. Uses Google's application default credentials.
 *
 * Permissions: storage.objects.create, .get, .list, .delete (overwriting needs .delete too).
 */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { ApiError, type Bucket, type File, IdempotencyStrategy, Storage } from '@google-cloud/storage'
import { AkashiError, given } from '../foundation/index.ts'
import { explainByStatus, reasonOf, systemCode } from './remote/failure.ts'
import {
  type Explanation,
  type Failure,
  type FolderPage,
  type Labels,
  NONCE_LABEL,
  type OpenedObject,
  type Page,
  type Remote,
  SHA256_LABEL,
  type StoredObject,
  type Upload,
  type WriteConditions,
} from './remote/remote.ts'
import { PART_BYTES, RemoteStore } from './remote/remote-store.ts'
import { RETRY_LIMITS, type RetryLimits } from './remote/retry.ts'
import { choice, parseRemoteUrl } from './remote/url.ts'
import type { ObjectStore } from './types.ts'

/** A resumable upload has no parts; the maximum object size is 5 TiB. https://cloud.google.com/storage/quotas */
const MAX_PARTS = (5 * 1024 ** 4) / PART_BYTES
const PAGE = 1000
const NOT_FOUND = 404
const PARAMETERS = ['endpoint', 'storageClass', 'kmsKey']
const EXAMPLE = 'gs://bucket/prefix'

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes, by their `reason` */
const FAILURES: Readonly<Record<string, Failure>> = {
  conditionNotMet: 'precondition',
  forbidden: 'forbidden',
  authError: 'forbidden',
  rateLimitExceeded: 'throttled',
  userRateLimitExceeded: 'throttled',
  backendError: 'passing',
  internalError: 'passing',
}

/** @param limits overrides the defaults, for tests */
export async function openGcsStore(url: string, limits: RetryLimits = RETRY_LIMITS): Promise<ObjectStore> {
  const parsed = parseRemoteUrl(url, PARAMETERS, EXAMPLE)
  const { endpoint, kmsKey } = parsed.parameters
  const storageClass = choice(parsed, 'storageClass', ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'])
  const connect = (autoRetry: boolean) =>
    new Storage({
      ...(endpoint === undefined ? {} : { apiEndpoint: endpoint, projectId: 'none' }),
      timeout: limits.attemptMs,
      retryOptions: {
        autoRetry,
        maxRetries: limits.attempts - 1,
        totalTimeout: limits.totalMs / 1000,
        maxRetryDelay: limits.longestPauseMs / 1000,
        idempotencyStrategy: IdempotencyStrategy.RetryAlways,
      },
    }).bucket(parsed.bucket, kmsKey === undefined ? {} : { kmsKeyName: kmsKey })
  const bucket = connect(false)
  if (endpoint === undefined) await assertCredentials(bucket)
  return new RemoteStore(new Gcs(bucket, connect(true), parsed.location, storageClass), parsed.prefix, limits)
}

/** Checked early: later the client reports missing credentials only as a broken stream. */
async function assertCredentials(bucket: Bucket): Promise<void> {
  try {
    await bucket.storage.authClient.getClient()
  } catch {
    throw new AkashiError('forbidden', 'no usable Google Cloud credentials found', {
      hint: 'set GOOGLE_APPLICATION_CREDENTIALS to their file, or run with a service account attached',
    })
  }
}

class Gcs implements Remote {
  readonly location: string
  readonly maxParts = MAX_PARTS
  readonly partsAtOnce = 1
  readonly labelsAtCommit = false
  readonly canRetain = false
  /** Without client retries: RemoteStore retries; it knows which requests are safe to repeat. */
  readonly #bucket: Bucket
  /** Only the client can resume a resumable upload after a failure, so it retries these. */
  readonly #uploads: Bucket
  readonly #storageClass: string | undefined

  constructor(bucket: Bucket, uploads: Bucket, location: string, storageClass: string | undefined) {
    this.#bucket = bucket
    this.#uploads = uploads
    this.#storageClass = storageClass
    this.location = location
  }

  async putWhole(
    name: string,
    bytes: Uint8Array,
    labels: Labels,
    conditions: WriteConditions,
  ): Promise<void> {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const options = { ...this.#written(labels, conditions), resumable: false }
    await inBucket(this.#bucket.file(name).save(body, options))
  }

  async begin(
    name: string,
    labels: { readonly sha256: string | undefined; readonly nonce: string },
    conditions: WriteConditions,
  ): Promise<Upload> {
    const written = this.#written(labels, conditions)
    // Started separately from the stream, so that its URI is known if it must be cancelled.
    const [uri] = await inBucket(this.#bucket.file(name).createResumableUpload(written))
    const stream = this.#uploads
      .file(name)
      .createWriteStream({ ...written, resumable: true, chunkSize: PART_BYTES, uri, offset: 0 })
    let failed: Error | undefined
    stream.on('error', (error) => {
      failed ??= error
    })
    const check = () => {
      if (failed !== undefined) throw new UploadBroken(failed)
    }
    let nextPart = 0
    return {
      part: async (index, bytes, signal) => {
        check()
        // The stream keeps the bytes written to it: another attempt at a part only waits again.
        if (index === nextPart) {
          nextPart++
          stream.write(bytes)
        }
        if (stream.writableNeedDrain) await once(stream, 'drain', { signal })
        check()
      },
      commit: async (_labels, signal) => {
        check()
        if (!stream.writableEnded) stream.end()
        if (!stream.writableFinished) await once(stream, 'finish', { signal })
      },
      abort: async (signal) => {
        stream.destroy()
        // https://cloud.google.com/storage/docs/performing-resumable-uploads#cancel-upload
        await fetch(uri, { method: 'DELETE', signal })
      },
    }
  }

  async open(
    name: string,
    { start, end }: { readonly start: number; readonly end: number | undefined },
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<OpenedObject> {
    const object = await this.head(name)
    if (version !== undefined && object.version !== version) throw new Overtaken()
    if (start >= object.size && (start > 0 || end !== undefined)) throw new OutOfRange()
    if (object.size === 0) return { object, stream: Readable.from([]) }
    const stream = this.#bucket.file(name, { generation: object.version }).createReadStream({
      start,
      end: Math.max(0, Math.min(end ?? object.size, object.size) - 1),
      decompress: false,
      validation: false,
    })
    try {
      // The client sends the request only when the stream is read.
      stream.read(0)
      const [{ statusCode }] = await once(stream, 'response', { signal })
      if (statusCode !== 200 && statusCode !== 206) throw new UnexpectedStatus(Number(statusCode))
    } catch (error) {
      stream.on('error', () => {})
      stream.destroy()
      throw statusOf(error) === NOT_FOUND ? new Overtaken() : error
    }
    return { object, stream }
  }

  async head(name: string): Promise<StoredObject> {
    const file = this.#bucket.file(name)
    await file.getMetadata()
    return toObject(file)
  }

  async page(prefix: string, after: string, token: string | undefined): Promise<Page> {
    const [files, next] = await inBucket(
      this.#bucket.getFiles({
        prefix,
        autoPaginate: false,
        maxResults: PAGE,
        ...given({ startOffset: after || undefined, pageToken: token }),
      }),
    )
    return {
      entries: files.map((file) => ({ name: file.name, object: toObject(file) })),
      next: nextOf(next),
    }
  }

  async folders(prefix: string, token: string | undefined): Promise<FolderPage> {
    const [, next, response] = await inBucket(
      this.#bucket.getFiles({
        prefix,
        delimiter: '/',
        autoPaginate: false,
        maxResults: PAGE,
        ...given({ pageToken: token }),
      }),
    )
    return { folders: prefixesOf(response), next: nextOf(next) }
  }

  async delete(name: string): Promise<void> {
    await this.#bucket.file(name).delete()
  }

  explain(error: unknown): Explanation {
    if (error instanceof Overtaken) return { failure: 'precondition', reason: 'conditionNotMet' }
    if (error instanceof UploadBroken) {
      const { failure, reason } = this.explain(error.cause)
      const spent = failure === 'passing' || failure === 'throttled'
      return { failure: spent ? 'other' : failure, reason }
    }
    if (error instanceof MissingBucket) return { failure: 'misconfigured', reason: 'notFound' }
    if (error instanceof OutOfRange) return { failure: 'range', reason: 'requestedRangeNotSatisfiable' }
    const status = statusOf(error)
    const code = error instanceof ApiError ? error.errors?.[0]?.reason : undefined
    const reason = reasonOf(code, systemCode(error) ?? `HTTP ${status ?? 'error'}`)
    const known = FAILURES[reason]
    return known === undefined ? explainByStatus(error, status, reason) : { failure: known, reason }
  }

  #written(
    labels: { readonly sha256: string | undefined; readonly nonce: string },
    { ifAbsent }: WriteConditions,
  ) {
    return {
      validation: 'crc32c',
      metadata: {
        contentType: 'application/octet-stream',
        ...given({ storageClass: this.#storageClass }),
        metadata: given({ [NONCE_LABEL]: labels.nonce, [SHA256_LABEL]: labels.sha256 }),
      },
      ...(ifAbsent ? { preconditionOpts: { ifGenerationMatch: 0 } } : {}),
    }
  }
}

/** The object was overwritten between two requests. */
class Overtaken extends Error {}
class OutOfRange extends Error {}
class MissingBucket extends Error {}

/** The client gave up on the upload after its own retries: retrying a part cannot help. */
class UploadBroken extends Error {
  constructor(cause: Error) {
    super('the upload was interrupted', { cause })
  }
}

class UnexpectedStatus extends Error {
  readonly status: number

  constructor(status: number) {
    super(`HTTP ${status}`)
    this.status = status
  }
}

/** A 404 for a request without an object name means that the bucket is missing. */
async function inBucket<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw statusOf(error) === NOT_FOUND ? new MissingBucket() : error
  }
}

function nextOf(query: unknown): string | undefined {
  const token =
    query !== null && typeof query === 'object' && 'pageToken' in query ? query.pageToken : undefined
  return typeof token === 'string' ? token : undefined
}

/** The folders in a listing with a delimiter, which the client leaves in raw form. */
function prefixesOf(response: unknown): string[] {
  const found =
    response !== null && typeof response === 'object' && 'prefixes' in response ? response.prefixes : []
  return Array.isArray(found) ? found.filter((name) => typeof name === 'string') : []
}

function toObject({ metadata }: File): StoredObject {
  return {
    size: Number(metadata.size ?? 0),
    lastModified: new Date(metadata.updated ?? 0),
    sha256: textOf(metadata.metadata?.[SHA256_LABEL]),
    nonce: textOf(metadata.metadata?.[NONCE_LABEL]),
    version: String(metadata.generation ?? ''),
    frozen: false,
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  for (const name of ['code', 'status'] as const) {
    const value: unknown = name in error ? Reflect.get(error, name) : undefined
    if (typeof value === 'number') return value
    if (typeof value === 'string' && /^\d{3}$/.test(value)) return Number(value)
  }
  return undefined
}
