/**
 * Azure Blob Storage: `azblob://container/prefix`, block blobs. Account and credentials come from a connection
 * string (account key or shared access signature), never from the URL.
 *
 * A shared access signature needs read, add, create, write, delete and list on the container.
 */
import { Readable } from 'node:stream'
import {
  type BlobDownloadResponseParsed,
  type BlobGetPropertiesResponse,
  type BlobItem,
  BlobServiceClient,
  type ContainerClient,
  RestError,
} from '@azure/storage-blob'
import { AkashiError, given, type Secret } from '../foundation/index.ts'
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

/** https://learn.microsoft.com/rest/api/storageservices/put-block-list */
const MAX_BLOCKS = 50_000
const BLOCKS_AT_ONCE = 3
const PAGE = 1000
const EXAMPLE = 'azblob://container/prefix'

/** https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
const FAILURES: Readonly<Record<string, Failure>> = {
  BlobNotFound: 'absent',
  ContainerNotFound: 'misconfigured',
  ContainerBeingDeleted: 'misconfigured',
  BlobAlreadyExists: 'precondition',
  ConditionNotMet: 'precondition',
  // Another writer committed its own blocks, which discards the uncommitted blocks of all others.
  InvalidBlockList: 'contended',
  BlobArchived: 'frozen',
  BlobBeingRehydrated: 'frozen',
  InvalidRange: 'range',
  AuthenticationFailed: 'forbidden',
  AuthorizationFailure: 'forbidden',
  AuthorizationPermissionMismatch: 'forbidden',
  InsufficientAccountPermissions: 'forbidden',
  AccountIsDisabled: 'forbidden',
  ServerBusy: 'throttled',
  InternalError: 'passing',
  OperationTimedOut: 'passing',
  Md5Mismatch: 'passing',
}

/** @param limits overrides the defaults, for tests */
export async function openAzureStore(
  url: string,
  connectionString: Secret | undefined,
  limits?: RetryLimits,
): Promise<ObjectStore> {
  const parsed = parseRemoteUrl(url, ['storageClass'], EXAMPLE)
  const tier = choice(parsed, 'storageClass', ['Hot', 'Cool', 'Cold', 'Archive'])
  if (connectionString === undefined) {
    throw new AkashiError('invalid_config', 'the credentials of the Azure storage account are missing', {
      hint: 'set AZURE_STORAGE_CONNECTION_STRING',
    })
  }
  let container: ContainerClient
  try {
    container = BlobServiceClient.fromConnectionString(connectionString.reveal(), {
      // RemoteStore retries; it knows which requests are safe to repeat.
      retryOptions: { maxTries: 1 },
    }).getContainerClient(parsed.bucket)
  } catch {
    throw new AkashiError(
      'invalid_config',
      'the connection string of the Azure storage account is not valid',
      {
        hint: 'copy it from the access keys of the account',
      },
    )
  }
  return new RemoteStore(new Azure(container, parsed.location, tier), parsed.prefix, limits)
}

class Azure implements Remote {
  readonly location: string
  readonly maxParts = MAX_BLOCKS
  readonly partsAtOnce = BLOCKS_AT_ONCE
  readonly labelsAtCommit = true
  readonly canRetain = false
  readonly #container: ContainerClient
  readonly #tier: string | undefined

  constructor(container: ContainerClient, location: string, tier: string | undefined) {
    this.#container = container
    this.#tier = tier
    this.location = location
  }

  async putWhole(
    name: string,
    bytes: Uint8Array,
    labels: Labels,
    conditions: WriteConditions,
    abortSignal: AbortSignal,
  ): Promise<void> {
    await this.#container
      .getBlockBlobClient(name)
      .upload(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length, {
        abortSignal,
        ...this.#written(labels, conditions),
      })
  }

  async begin(
    name: string,
    { nonce }: { readonly nonce: string },
    conditions: WriteConditions,
  ): Promise<Upload> {
    const blob = this.#container.getBlockBlobClient(name)
    // All block ids of a blob must have the same length; the nonce separates racing writers.
    const idOf = (index: number) =>
      Buffer.from(`${nonce}-${String(index).padStart(6, '0')}`).toString('base64')
    let blocks = 0
    return {
      part: async (index, bytes, abortSignal) => {
        blocks = Math.max(blocks, index + 1)
        const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
        await blob.stageBlock(idOf(index), body, body.length, { abortSignal })
      },
      commit: async (labels, abortSignal) => {
        const ids = Array.from({ length: blocks }, (_, index) => idOf(index))
        await blob.commitBlockList(ids, { abortSignal, ...this.#written(labels, conditions) })
      },
      // Azure never exposes uncommitted blocks and discards them after a week.
      abort: () => Promise.resolve(),
    }
  }

  async open(
    name: string,
    { start, end }: { readonly start: number; readonly end: number | undefined },
    version: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<OpenedObject> {
    // The signal covers this call only: it must not abort the body, which is read long after.
    const request = new AbortController()
    const stop = () => request.abort()
    abortSignal.addEventListener('abort', stop, { once: true })
    try {
      const found = await this.#container
        .getBlobClient(name)
        .download(start, end === undefined ? undefined : end - start, {
          abortSignal: request.signal,
          // RemoteStore resumes broken connections itself.
          maxRetryRequests: 0,
          conditions: given({ ifMatch: version }),
        })
      if (!(found.readableStreamBody instanceof Readable)) throw new Error('the response has no body')
      const size = found.contentRange?.split('/')[1] ?? found.contentLength
      return { object: toObject(found, Number(size)), stream: found.readableStreamBody }
    } finally {
      abortSignal.removeEventListener('abort', stop)
    }
  }

  async head(name: string, abortSignal: AbortSignal): Promise<StoredObject | null> {
    const found = await this.#container.getBlobClient(name).getProperties({ abortSignal })
    return toObject(found, found.contentLength ?? 0)
  }

  async page(
    prefix: string,
    _after: string,
    token: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<Page> {
    const pages = this.#container
      .listBlobsFlat({ prefix, includeMetadata: true, abortSignal })
      .byPage(given({ maxPageSize: PAGE, continuationToken: token }))
    for await (const { segment, continuationToken } of pages) {
      return {
        entries: segment.blobItems.map((item) => ({ name: item.name, object: itemToObject(item) })),
        next: continuationToken === '' ? undefined : continuationToken,
      }
    }
    return { entries: [], next: undefined }
  }

  async folders(prefix: string, token: string | undefined, abortSignal: AbortSignal): Promise<FolderPage> {
    const pages = this.#container
      .listBlobsByHierarchy('/', { prefix, abortSignal })
      .byPage(given({ maxPageSize: PAGE, continuationToken: token }))
    for await (const { segment, continuationToken } of pages) {
      return {
        folders: (segment.blobPrefixes ?? []).map(({ name }) => name),
        next: continuationToken === '' ? undefined : continuationToken,
      }
    }
    return { folders: [], next: undefined }
  }

  async delete(name: string, abortSignal: AbortSignal): Promise<void> {
    await this.#container.getBlobClient(name).delete({ abortSignal, deleteSnapshots: 'include' })
  }

  /** Moves the blob back to the hot tier for good. */
  async thaw(name: string, abortSignal: AbortSignal): Promise<void> {
    const blob = this.#container.getBlobClient(name)
    const { archiveStatus } = await blob.getProperties({ abortSignal })
    if (archiveStatus === undefined) await blob.setAccessTier('Hot', { abortSignal })
  }

  explain(error: unknown): Explanation {
    if (!(error instanceof RestError)) return explainByStatus(error, undefined, 'RequestError')
    const code = error.code ?? codeHeader(error)
    const known = code === undefined ? undefined : FAILURES[code]
    if (known !== undefined) return { failure: known, reason: code ?? '' }
    if (code === 'REQUEST_SEND_ERROR') return { failure: 'passing', reason: code }
    return explainByStatus(error, error.statusCode, reasonOf(code, `HTTP ${error.statusCode ?? 'error'}`))
  }

  #written(labels: Labels, { ifAbsent }: WriteConditions) {
    return {
      metadata: { [SHA256_LABEL]: labels.sha256, [NONCE_LABEL]: labels.nonce },
      blobHTTPHeaders: { blobContentType: 'application/octet-stream' },
      ...given({ tier: this.#tier }),
      ...(ifAbsent ? { conditions: { ifNoneMatch: '*' } } : {}),
    }
  }
}

function toObject(found: BlobDownloadResponseParsed | BlobGetPropertiesResponse, size: number): StoredObject {
  return {
    size,
    lastModified: found.lastModified ?? new Date(0),
    sha256: found.metadata?.[SHA256_LABEL],
    nonce: found.metadata?.[NONCE_LABEL],
    version: found.etag ?? '',
    frozen: 'accessTier' in found && found.accessTier === 'Archive',
  }
}

function itemToObject({ metadata, properties }: BlobItem): StoredObject {
  return {
    size: properties.contentLength ?? 0,
    lastModified: properties.lastModified,
    sha256: metadata?.[SHA256_LABEL],
    nonce: metadata?.[NONCE_LABEL],
    version: properties.etag,
    frozen: properties.accessTier === 'Archive',
  }
}

/** The response to a HEAD has no body; its error code is in a header. */
function codeHeader(error: RestError): string | undefined {
  return error.response?.headers.get('x-ms-error-code')
}
