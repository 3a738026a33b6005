/**
 * Amazon S3 and compatible stores: `s3://bucket/prefix`, with the parameters of {@link PARAMETERS}.
 * Uses the SDK's credential chain (environment, shared files, role of the container or machine).
 *
 * Permissions: s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket; with
 * objectLock s3:PutObjectRetention; to thaw s3:RestoreObject.
 */
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type _Object as Listed,
  ListObjectsV2Command,
  type ObjectLockMode,
  PutObjectCommand,
  RestoreObjectCommand,
  S3Client,
  type ServerSideEncryption,
  StorageClass,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { AkashiError, given } from '../foundation/index.ts'
import { explainByStatus, reasonOf } from './remote/failure.ts'
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
import { RemoteStore } from './remote/remote-store.ts'
import type { RetryLimits } from './remote/retry.ts'
import { choice, parseRemoteUrl } from './remote/url.ts'
import type { ObjectStore } from './types.ts'

const CONNECTION_TIMEOUT_MS = 5_000
const SOCKET_TIMEOUT_MS = 30_000
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MAX_PARTS = 10_000
const PARTS_AT_ONCE = 3
/** Days for which a thawed copy stays readable. */
const THAW_DAYS = 7
const PARAMETERS = ['endpoint', 'region', 'pathStyle', 'storageClass', 'kmsKey', 'objectLock']
const EXAMPLE = 's3://bucket/prefix?region=ap-northeast-1'

/** Error codes of S3 by failure class: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const FAILURES: Readonly<Record<string, Failure>> = {
  NoSuchKey: 'absent',
  NoSuchUpload: 'absent',
  NotFound: 'absent',
  PreconditionFailed: 'precondition',
  ConditionalRequestConflict: 'contended',
  OperationAborted: 'contended',
  InvalidObjectState: 'frozen',
  InvalidRange: 'range',
  AccessDenied: 'forbidden',
  InvalidAccessKeyId: 'forbidden',
  SignatureDoesNotMatch: 'forbidden',
  ExpiredToken: 'forbidden',
  InvalidToken: 'forbidden',
  CredentialsProviderError: 'forbidden',
  TokenProviderError: 'forbidden',
  NoSuchBucket: 'misconfigured',
  PermanentRedirect: 'misconfigured',
  TemporaryRedirect: 'misconfigured',
  AuthorizationHeaderMalformed: 'misconfigured',
  InvalidStorageClass: 'misconfigured',
  KMSNotFoundException: 'misconfigured',
  'KMS.NotFoundException': 'misconfigured',
  ObjectLockConfigurationNotFoundError: 'misconfigured',
  NotImplemented: 'misconfigured',
  SlowDown: 'throttled',
  ServiceUnavailable: 'throttled',
  RequestLimitExceeded: 'throttled',
  InternalError: 'passing',
  RequestTimeout: 'passing',
  // The SDK corrects its clock from the response, so the next attempt is signed with the store's time.
  RequestTimeTooSkewed: 'passing',
  TimeoutError: 'passing',
  BadDigest: 'passing',
  XAmzContentSHA256Mismatch: 'passing',
  IncompleteBody: 'passing',
}

interface Settings {
  readonly storageClass: StorageClass | undefined
  readonly kmsKey: string | undefined
  readonly objectLock: ObjectLockMode | undefined
}

/** @param limits overrides the defaults, for tests */
export async function openS3Store(url: string, limits?: RetryLimits): Promise<ObjectStore> {
  const parsed = parseRemoteUrl(url, PARAMETERS, EXAMPLE)
  const { endpoint, region } = parsed.parameters
  const objectLock = choice(parsed, 'objectLock', ['governance', 'compliance'])
  const settings: Settings = {
    storageClass: choice(parsed, 'storageClass', Object.values(StorageClass)),
    kmsKey: parsed.parameters['kmsKey'],
    objectLock:
      objectLock === undefined ? undefined : objectLock === 'governance' ? 'GOVERNANCE' : 'COMPLIANCE',
  }
  const client = new S3Client({
    ...given({ endpoint, region: region ?? (endpoint === undefined ? undefined : 'us-east-1') }),
    forcePathStyle: choice(parsed, 'pathStyle', ['true', 'false']) === 'true',
    // RemoteStore retries; it knows which requests are safe to repeat.
    maxAttempts: 1,
    // The SDK's checksums break many compatible stores, and signatures cover the body anyway. Object lock
    // requires a checksum.
    requestChecksumCalculation:
      endpoint === undefined || objectLock !== undefined ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECTION_TIMEOUT_MS, socketTimeout: SOCKET_TIMEOUT_MS },
  })
  try {
    await client.config.region()
  } catch {
    client.destroy()
    throw new AkashiError('invalid_config', 'the region of the S3 bucket is unknown', {
      hint: `set AWS_REGION, or write the URL as ${EXAMPLE}`,
    })
  }
  return new RemoteStore(new S3(client, parsed.bucket, parsed.location, settings), parsed.prefix, limits)
}

class S3 implements Remote {
  readonly location: string
  readonly maxParts = MAX_PARTS
  readonly partsAtOnce = PARTS_AT_ONCE
  readonly labelsAtCommit = false
  readonly canRetain: boolean
  readonly #client: S3Client
  readonly #bucket: string
  readonly #settings: Settings

  constructor(client: S3Client, bucket: string, location: string, settings: Settings) {
    this.#client = client
    this.#bucket = bucket
    this.#settings = settings
    this.location = location
    this.canRetain = settings.objectLock !== undefined
  }

  async putWhole(
    name: string,
    bytes: Uint8Array,
    labels: Labels,
    conditions: WriteConditions,
    abortSignal: AbortSignal,
  ): Promise<void> {
    await this.#client.send(
      new PutObjectCommand({
        ...this.#object(name),
        ...this.#written(labels, conditions),
        ...(conditions.ifAbsent ? { IfNoneMatch: '*' } : {}),
        Body: bytes,
        ContentLength: bytes.length,
      }),
      { abortSignal },
    )
  }

  async begin(
    name: string,
    labels: { readonly sha256: string | undefined; readonly nonce: string },
    conditions: WriteConditions,
    abortSignal: AbortSignal,
  ): Promise<Upload> {
    const object = this.#object(name)
    const { UploadId } = await this.#client.send(
      new CreateMultipartUploadCommand({ ...object, ...this.#written(labels, conditions) }),
      { abortSignal },
    )
    const tags: string[] = []
    return {
      part: async (index, bytes, signal) => {
        const { ETag } = await this.#client.send(
          new UploadPartCommand({
            ...object,
            UploadId,
            PartNumber: index + 1,
            Body: bytes,
            ContentLength: bytes.length,
          }),
          { abortSignal: signal },
        )
        tags[index] = ETag ?? ''
      },
      commit: async (_labels, signal) => {
        await this.#client.send(
          new CompleteMultipartUploadCommand({
            ...object,
            UploadId,
            MultipartUpload: { Parts: tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
            ...(conditions.ifAbsent ? { IfNoneMatch: '*' } : {}),
          }),
          { abortSignal: signal },
        )
      },
      abort: async (signal) => {
        await this.#client.send(new AbortMultipartUploadCommand({ ...object, UploadId }), {
          abortSignal: signal,
        })
      },
    }
  }

  async open(
    name: string,
    { start, end }: { readonly start: number; readonly end: number | undefined },
    version: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<OpenedObject> {
    const whole = start === 0 && end === undefined
    // The signal covers this call only: it must not abort the body, which is read long after.
    const request = new AbortController()
    const stop = () => request.abort()
    abortSignal.addEventListener('abort', stop, { once: true })
    try {
      const found = await this.#client.send(
        new GetObjectCommand({
          ...this.#object(name),
          ...(whole ? {} : { Range: `bytes=${start}-${end === undefined ? '' : end - 1}` }),
          ...given({ IfMatch: version }),
        }),
        { abortSignal: request.signal },
      )
      if (!(found.Body instanceof Readable)) throw new Error('the response has no body')
      const size = found.ContentRange?.split('/')[1] ?? found.ContentLength
      return { object: toObject({ ...found, ContentLength: Number(size) }), stream: found.Body }
    } finally {
      abortSignal.removeEventListener('abort', stop)
    }
  }

  async head(name: string, abortSignal: AbortSignal): Promise<StoredObject | null> {
    return toObject(await this.#client.send(new HeadObjectCommand(this.#object(name)), { abortSignal }))
  }

  async page(
    prefix: string,
    after: string,
    token: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<Page> {
    const found = await this.#client.send(
      new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        OptionalObjectAttributes: ['RestoreStatus'],
        ...given({ StartAfter: after || undefined, ContinuationToken: token }),
      }),
      { abortSignal },
    )
    return {
      entries: (found.Contents ?? []).map((entry) => ({
        name: entry.Key ?? '',
        ...given({ object: listed(entry) }),
      })),
      next: found.IsTruncated === true ? found.NextContinuationToken : undefined,
    }
  }

  async folders(prefix: string, token: string | undefined, abortSignal: AbortSignal): Promise<FolderPage> {
    const found = await this.#client.send(
      new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        Delimiter: '/',
        ...given({ ContinuationToken: token }),
      }),
      { abortSignal },
    )
    return {
      folders: (found.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []),
      next: found.IsTruncated === true ? found.NextContinuationToken : undefined,
    }
  }

  async delete(name: string, abortSignal: AbortSignal): Promise<void> {
    await this.#client.send(new DeleteObjectCommand(this.#object(name)), { abortSignal })
  }

  async thaw(name: string, abortSignal: AbortSignal): Promise<void> {
    const RestoreRequest = { Days: THAW_DAYS, GlacierJobParameters: { Tier: 'Standard' } } as const
    try {
      await this.#client.send(new RestoreObjectCommand({ ...this.#object(name), RestoreRequest }), {
        abortSignal,
      })
    } catch (error) {
      if (!(error instanceof Error && error.name === 'RestoreAlreadyInProgress')) throw error
    }
  }

  explain(error: unknown): Explanation {
    if (!(error instanceof Error)) return { failure: 'other', reason: 'unknown error' }
    const status = statusOf(error)
    const known = FAILURES[error.name]
    // The response to a HEAD has no body, so its errors have only a status.
    if (known !== undefined && !(error.name === 'NotFound' && status !== 404)) {
      return { failure: known, reason: error.name }
    }
    return explainByStatus(error, status, reasonOf(error.name, `HTTP ${status ?? 'error'}`))
  }

  #object(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: name }
  }

  #written(
    labels: { readonly sha256: string | undefined; readonly nonce: string },
    { retainUntil }: WriteConditions,
  ) {
    const { storageClass, kmsKey, objectLock } = this.#settings
    const encryption: ServerSideEncryption = 'aws:kms'
    return {
      ContentType: 'application/octet-stream',
      Metadata: given({ [NONCE_LABEL]: labels.nonce, [SHA256_LABEL]: labels.sha256 }),
      ...given({ StorageClass: storageClass }),
      ...(kmsKey === undefined ? {} : { ServerSideEncryption: encryption, SSEKMSKeyId: kmsKey }),
      ...(retainUntil === undefined || objectLock === undefined
        ? {}
        : { ObjectLockMode: objectLock, ObjectLockRetainUntilDate: retainUntil }),
    }
  }
}

/** undefined where only a HEAD knows whether it is archived, or the listing has no sizes. */
function listed({
  Size: size,
  LastModified: lastModified,
  StorageClass: tier,
  RestoreStatus: thawed,
}: Listed) {
  if (size === undefined || lastModified === undefined || tier === 'INTELLIGENT_TIERING') return undefined
  const archived = tier === 'GLACIER' || tier === 'DEEP_ARCHIVE'
  const isThawed = thawed?.IsRestoreInProgress === false && thawed.RestoreExpiryDate !== undefined
  return { size, lastModified, frozen: archived && !isThawed }
}

function toObject(found: Omit<HeadObjectCommandOutput, '$metadata'>): StoredObject {
  return {
    size: found.ContentLength ?? 0,
    lastModified: found.LastModified ?? new Date(0),
    sha256: found.Metadata?.[SHA256_LABEL],
    nonce: found.Metadata?.[NONCE_LABEL],
    version: found.ETag ?? '',
    frozen: isFrozen(found),
  }
}

/** Archived, without a thawed copy: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
function isFrozen({ StorageClass: tier, ArchiveStatus, Restore }: Partial<HeadObjectCommandOutput>): boolean {
  const archived = tier === 'GLACIER' || tier === 'DEEP_ARCHIVE' || ArchiveStatus !== undefined
  return archived && Restore?.includes('ongoing-request="false"') !== true
}

function statusOf(error: Error): number | undefined {
  const metadata = '$metadata' in error ? error.$metadata : undefined
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
