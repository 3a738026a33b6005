import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bodyOf, type Fault, sendBody, takeFault } from './faults.ts'
import { type Signer, signatureError } from './s3-signature.ts'

/**
 * A peer of Amazon S3 for tests, strict where S3 is: signatures of version 4 over the whole request,
 * If-None-Match and If-Match, multipart uploads whose parts have 5 MiB, ranges, ListObjectsV2 in pages, object
 * lock only with a checksum, archive tiers that refuse to be read. One bucket, path-style, in memory.
 */
export interface S3Server {
  readonly endpoint: string
  readonly objects: Map<string, S3Object>
  /** Multipart uploads that were neither completed nor aborted. */
  readonly uploads: ReadonlyMap<string, unknown>
  /** Names of the operations so far. */
  readonly operations: string[]
  readonly faults: Fault[]
  /** By how much the clock of the server is ahead, in milliseconds. */
  skewMs: number
  stop(): Promise<void>
}

export interface S3Object {
  bytes: Buffer
  readonly etag: string
  readonly lastModified: Date
  readonly headers: Readonly<Record<string, string>>
  restore?: 'ongoing' | 'done'
}

interface UploadState {
  readonly key: string
  readonly headers: Record<string, string>
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>
}

const MIN_PART_BYTES = 5 * 1024 * 1024
const PAGE = 1000
const KEPT = /^(x-amz-meta-|x-amz-storage-class$|x-amz-server-side-|x-amz-object-lock-|content-type$)/
const STATUS: Readonly<Record<string, number>> = {
  NoSuchKey: 404,
  NoSuchBucket: 404,
  NoSuchUpload: 404,
  PreconditionFailed: 412,
  ConditionalRequestConflict: 409,
  RestoreAlreadyInProgress: 409,
  InvalidRange: 416,
  NotImplemented: 501,
  EntityTooSmall: 400,
  InvalidPart: 400,
  InvalidRequest: 400,
  AuthorizationHeaderMalformed: 400,
  XAmzContentSHA256Mismatch: 400,
}
const DEFAULT_STATUS = 403

class S3Failure extends Error {
  readonly status: number
  readonly code: string

  constructor(code: string, status = STATUS[code] ?? DEFAULT_STATUS) {
    super(code)
    this.code = code
    this.status = status
  }
}

interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Uint8Array | string
}

export async function startS3(bucket: string, signer: Signer): Promise<S3Server> {
  const objects = new Map<string, S3Object>()
  const uploads = new Map<string, UploadState>()
  const operations: string[] = []
  const faults: Fault[] = []
  const state = { skewMs: 0 }
  const now = () => Date.now() + state.skewMs

  const existing = (key: string): S3Object => {
    const object = objects.get(key)
    if (object === undefined) throw new S3Failure('NoSuchKey')
    return object
  }
  const store = (key: string, bytes: Buffer, etag: string, kept: Record<string, string>, absent: boolean) => {
    if (absent && objects.has(key)) throw new S3Failure('PreconditionFailed')
    // S3 keeps whole seconds.
    const lastModified = new Date(Math.floor(now() / 1000) * 1000)
    objects.set(key, { bytes, etag, lastModified, headers: kept })
  }

  const handlers: Record<string, (call: Call) => Answer> = {
    PutObject: ({ key, body, headers }) => {
      assertLockHasChecksum(headers)
      const etag = `"${md5(body)}"`
      store(key, body, etag, keptOf(headers), ifAbsent(headers))
      return { headers: { etag } }
    },
    CreateMultipartUpload: ({ key, headers }) => {
      const id = randomUUID()
      uploads.set(id, { key, headers: keptOf(headers), parts: new Map() })
      return xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`)
    },
    UploadPart: ({ key, body, query }) => {
      const etag = `"${md5(body)}"`
      uploadOf(uploads, query, key).parts.set(Number(query.get('partNumber')), { bytes: body, etag })
      return { headers: { etag } }
    },
    CompleteMultipartUpload: ({ key, body, query, headers }) => {
      const upload = uploadOf(uploads, query, key)
      const named = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
        number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
        etag: (/<ETag>(.*?)<\/ETag>/.exec(part)?.[1] ?? '').replaceAll('&quot;', '"'),
      }))
      const parts = named.map(({ number, etag }, index) => {
        const part = upload.parts.get(number)
        if (part === undefined || part.etag !== etag) throw new S3Failure('InvalidPart')
        if (index < named.length - 1 && part.bytes.length < MIN_PART_BYTES) throw new S3Failure('EntityTooSmall')
        return part
      })
      const digests = Buffer.concat(parts.map(({ bytes }) => createHash('md5').update(bytes).digest()))
      const etag = `"${md5(digests)}-${parts.length}"`
      const bytes = Buffer.concat(parts.map((part) => part.bytes))
      store(key, bytes, etag, upload.headers, ifAbsent(headers))
      uploads.delete(query.get('uploadId') ?? '')
      return xml('CompleteMultipartUploadResult', `<ETag>${etag.replaceAll('"', '&quot;')}</ETag>`)
    },
    AbortMultipartUpload: ({ key, query }) => {
      uploadOf(uploads, query, key)
      uploads.delete(query.get('uploadId') ?? '')
      return { status: 204 }
    },
    GetObject: ({ key, headers }) => {
      const object = existing(key)
      if (headers['if-match'] !== undefined && headers['if-match'] !== object.etag) {
        throw new S3Failure('PreconditionFailed')
      }
      if (isArchived(object) && object.restore !== 'done') throw new S3Failure('InvalidObjectState')
      const size = object.bytes.length
      const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
      if (first === undefined) return { headers: { ...describe(object), 'content-length': size }, body: object.bytes }
      const start = Number(first)
      const end = last === '' ? size : Math.min(size, Number(last) + 1)
      if (start >= size) throw new S3Failure('InvalidRange')
      return {
        status: 206,
        headers: {
          ...describe(object),
          'content-range': `bytes ${start}-${end - 1}/${size}`,
          'content-length': end - start,
        },
        body: object.bytes.subarray(start, end),
      }
    },
    HeadObject: ({ key }) => {
      const object = existing(key)
      return { headers: { ...describe(object), 'content-length': object.bytes.length } }
    },
    DeleteObject: ({ key }) => {
      objects.delete(key)
      return { status: 204 }
    },
    RestoreObject: ({ key }) => {
      const object = existing(key)
      if (object.restore === 'ongoing') throw new S3Failure('RestoreAlreadyInProgress')
      const status = object.restore === 'done' ? 200 : 202
      object.restore ??= 'ongoing'
      return { status }
    },
    ListObjectsV2: ({ query }) => {
      const prefix = query.get('prefix') ?? ''
      const after = query.get('continuation-token') ?? query.get('start-after') ?? ''
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
      const page = keys.slice(0, PAGE)
      const contents = page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')
      const more = keys.length > PAGE
      const next = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
      return xml('ListBucketResult', `<IsTruncated>${more}</IsTruncated>${next}${contents}`)
    },
  }

  const answer = (request: IncomingMessage, body: Buffer, url: URL, operation: string): Answer => {
    const wrong = signatureError(request, body, signer, now())
    if (wrong !== null) throw new S3Failure(wrong)
    const [, name, ...rest] = url.pathname.split('/')
    if (name !== bucket) throw new S3Failure('NoSuchBucket')
    const handle = handlers[operation]
    if (handle === undefined) throw new S3Failure('NotImplemented')
    const key = decodeURIComponent(rest.join('/'))
    return handle({ key, body, query: url.searchParams, headers: request.headers })
  }

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://host')
    const body = await bodyOf(request)
    const operation = operationOf(request.method ?? '', url)
    operations.push(operation)
    const fault = takeFault(faults, operation)
    response.setHeader('date', new Date(now()).toUTCString())
    if (fault?.kind === 'hang') return
    try {
      if (fault?.kind === 'status') throw new S3Failure(fault.code ?? 'InternalError', fault.status ?? 500)
      const { status = 200, headers = {}, body: content = '' } = answer(request, body, url, operation)
      if (fault?.kind === 'lost') {
        response.destroy()
        return
      }
      response.writeHead(status, headers)
      sendBody(response, typeof content === 'string' ? Buffer.from(content) : content, fault)
    } catch (error) {
      const failure = error instanceof S3Failure ? error : new S3Failure('InternalError', 500)
      const text = `<Error><Code>${failure.code}</Code><Message>${signer.secretAccessKey}</Message></Error>`
      response.writeHead(failure.status, { 'content-type': 'application/xml' })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    objects,
    uploads,
    operations,
    faults,
    get skewMs() {
      return state.skewMs
    },
    set skewMs(ms) {
      state.skewMs = ms
    },
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Call {
  readonly key: string
  readonly body: Buffer
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
}

function operationOf(method: string, url: URL): string {
  const has = (name: string) => url.searchParams.has(name)
  const inBucket = url.pathname.split('/').filter((part) => part !== '').length < 2
  if (method === 'GET') return inBucket ? 'ListObjectsV2' : 'GetObject'
  if (method === 'HEAD') return 'HeadObject'
  if (method === 'PUT') return has('partNumber') ? 'UploadPart' : 'PutObject'
  if (method === 'DELETE') return has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject'
  if (has('uploads')) return 'CreateMultipartUpload'
  if (has('restore')) return 'RestoreObject'
  return has('uploadId') ? 'CompleteMultipartUpload' : 'unknown'
}

function uploadOf(uploads: ReadonlyMap<string, UploadState>, query: URLSearchParams, key: string): UploadState {
  const upload = uploads.get(query.get('uploadId') ?? '')
  if (upload === undefined || upload.key !== key) throw new S3Failure('NoSuchUpload')
  return upload
}

function ifAbsent(headers: IncomingHttpHeaders): boolean {
  if (headers['if-none-match'] === undefined) return false
  if (headers['if-none-match'] !== '*') throw new S3Failure('NotImplemented')
  return true
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html */
function assertLockHasChecksum(headers: IncomingHttpHeaders): void {
  const summed = Object.keys(headers).some((name) => /^(content-md5|x-amz-checksum-)/.test(name))
  if (headers['x-amz-object-lock-mode'] !== undefined && !summed) throw new S3Failure('InvalidRequest')
}

function keptOf(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (KEPT.test(name) ? [[name, String(value)]] : [])),
  )
}

function isArchived({ headers }: S3Object): boolean {
  return ['GLACIER', 'DEEP_ARCHIVE'].includes(headers['x-amz-storage-class'] ?? '')
}

function describe(object: S3Object): Record<string, string> {
  return {
    ...object.headers,
    etag: object.etag,
    'last-modified': object.lastModified.toUTCString(),
    ...(object.restore === undefined
      ? {}
      : { 'x-amz-restore': `ongoing-request="${object.restore === 'ongoing'}"` }),
  }
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

function xml(root: string, content: string): Answer {
  return { body: `<?xml version="1.0"?><${root}>${content}</${root}>`, headers: { 'content-type': 'application/xml' } }
}
