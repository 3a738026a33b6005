import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bodyOf, type Fault, foldersOf, sendBody, takeFault } from './faults.ts'

/**
 * A peer of Google Cloud Storage's JSON API for tests: multipart and resumable uploads in chunks of 256 KiB,
 * generations and ifGenerationMatch, ranges, lists in pages, the digests that the client checks. One bucket, in
 * memory; asks for no credentials.
 */
export interface GcsServer {
  readonly endpoint: string
  readonly objects: Map<string, GcsObject>
  /** Resumable uploads that were neither finished nor taken away. */
  readonly sessions: ReadonlyMap<string, unknown>
  readonly faults: Fault[]
  stop(): Promise<void>
}

export interface GcsObject {
  readonly bytes: Buffer
  readonly generation: number
  readonly updated: Date
  readonly fields: Readonly<Record<string, unknown>>
}

interface Session {
  readonly name: string
  readonly fields: Record<string, unknown>
  readonly query: URLSearchParams
  chunks: Buffer[]
  size: number
}

interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Uint8Array
}

interface Call {
  readonly name: string
  readonly body: Buffer
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly host: string
}

const CHUNK_UNIT = 256 * 1024
const REASONS: Readonly<Record<number, string>> = {
  401: 'authError',
  403: 'forbidden',
  404: 'notFound',
  412: 'conditionNotMet',
  416: 'requestedRangeNotSatisfiable',
  429: 'rateLimitExceeded',
  503: 'backendError',
}

class GcsFailure extends Error {
  readonly status: number

  constructor(status: number) {
    super(REASONS[status] ?? 'internalError')
    this.status = status
  }
}

export async function startGcs(bucket: string): Promise<GcsServer> {
  const objects = new Map<string, GcsObject>()
  const sessions = new Map<string, Session>()
  const faults: Fault[] = []
  let generation = Date.now() * 1000

  const assertGeneration = (name: string, query: URLSearchParams) => {
    const wanted = query.get('ifGenerationMatch')
    if (wanted !== null && Number(wanted) !== (objects.get(name)?.generation ?? 0)) throw new GcsFailure(412)
  }
  const existing = (name: string, query: URLSearchParams): GcsObject => {
    const object = objects.get(name)
    const wanted = query.get('generation')
    if (object === undefined || (wanted !== null && Number(wanted) !== object.generation))
      throw new GcsFailure(404)
    return object
  }
  const store = (name: string, bytes: Buffer, fields: Record<string, unknown>, query: URLSearchParams) => {
    assertGeneration(name, query)
    const object = { bytes, fields, generation: ++generation, updated: new Date() }
    objects.set(name, object)
    return json(describe(bucket, name, object))
  }

  const handlers: Record<string, (call: Call) => Answer> = {
    insert: ({ body, query, headers }) => {
      const [, boundary = ''] = /boundary=(.+)$/.exec(headers['content-type'] ?? '') ?? []
      const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = partsOf(body, boundary.replaceAll('"', ''))
      const fields = JSON.parse(first.toString())
      return store(query.get('name') ?? fields.name, second, fields, query)
    },
    begin: ({ body, query, host }) => {
      const id = randomUUID()
      const fields = body.length === 0 ? {} : JSON.parse(body.toString())
      const name = query.get('name') ?? ''
      assertGeneration(name, query)
      sessions.set(id, { name, fields, query, chunks: [], size: 0 })
      const location = `http://${host}/upload/storage/v1/b/${bucket}/o?uploadType=resumable&upload_id=${id}`
      return { headers: { location } }
    },
    chunk: ({ body, query, headers }) => {
      const id = query.get('upload_id') ?? ''
      const session = sessions.get(id)
      if (session === undefined) throw new GcsFailure(404)
      const [, first, total] =
        /^bytes (?:(\d+)-[\d*]+|\*)\/(\d+|\*)$/.exec(headers['content-range'] ?? 'bytes 0-*/*') ?? []
      if (first !== undefined) {
        if (Number(first) !== session.size) throw new GcsFailure(503)
        if (total === '*' && body.length % CHUNK_UNIT !== 0) throw new GcsFailure(400)
        session.chunks.push(body)
        session.size += body.length
      }
      if (total !== undefined && total !== '*' && Number(total) === session.size) {
        const done = store(session.name, Buffer.concat(session.chunks), session.fields, session.query)
        sessions.delete(id)
        return done
      }
      return {
        status: 308,
        headers: session.size === 0 ? {} : { range: `bytes=0-${session.size - 1}` },
      }
    },
    cancel: ({ query }) => {
      if (!sessions.delete(query.get('upload_id') ?? '')) throw new GcsFailure(404)
      return { status: 499 }
    },
    get: ({ name, query }) => json(describe(bucket, name, existing(name, query))),
    media: ({ name, query, headers }) => {
      const { bytes } = existing(name, query)
      const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
      if (first === undefined) return { headers: { 'content-length': bytes.length }, body: bytes }
      const start = Number(first)
      const end = last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1)
      if (start >= bytes.length) throw new GcsFailure(416)
      return {
        status: 206,
        headers: {
          'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
          'content-length': end - start,
        },
        body: bytes.subarray(start, end),
      }
    },
    delete: ({ name, query }) => {
      existing(name, query)
      objects.delete(name)
      return { status: 204 }
    },
    list: ({ query }) => {
      const prefix = query.get('prefix') ?? ''
      const from = query.get('startOffset') ?? ''
      const after = query.get('pageToken') ?? ''
      const names = [...objects.keys()]
        .filter((name) => name.startsWith(prefix) && name >= from && name > after)
        .sort()
      const size = Number(query.get('maxResults') ?? 1000)
      if (query.get('delimiter') === '/') {
        const all = foldersOf([...objects.keys()], prefix).filter((folder) => folder > after)
        const folders = all.slice(0, size)
        return json({
          kind: 'storage#objects',
          prefixes: folders,
          ...(all.length > size ? { nextPageToken: folders.at(-1) } : {}),
        })
      }
      const page = names.slice(0, size)
      return json({
        kind: 'storage#objects',
        items: page.flatMap((name) => {
          const object = objects.get(name)
          return object === undefined ? [] : [describe(bucket, name, object)]
        }),
        ...(names.length > page.length ? { nextPageToken: page.at(-1) } : {}),
      })
    },
  }

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://host')
    const body = await bodyOf(request)
    const operation = operationOf(request.method ?? '', url)
    const fault = takeFault(faults, operation)
    if (fault?.kind === 'hang') return
    try {
      if (fault?.kind === 'status') throw new GcsFailure(fault.status ?? 500)
      const [, inBucket, , encoded = ''] = /\/b\/([^/]+)\/o(\/(.*))?$/.exec(url.pathname) ?? []
      if (inBucket !== bucket) throw new GcsFailure(404)
      const handle = handlers[operation]
      if (handle === undefined) throw new GcsFailure(501)
      const name = decodeURIComponent(encoded)
      const host = request.headers.host ?? ''
      const call = { name, body, query: url.searchParams, headers: request.headers, host }
      const { status = 200, headers = {}, body: content = Buffer.alloc(0) } = handle(call)
      if (fault?.kind === 'lost') {
        response.destroy()
        return
      }
      response.writeHead(status, headers)
      sendBody(response, content, fault)
    } catch (error) {
      const { status, message } = error instanceof GcsFailure ? error : new GcsFailure(500)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({ error: { code: status, message, errors: [{ reason: message, message }] } }),
      )
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
    sessions,
    faults,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function operationOf(method: string, url: URL): string {
  if (url.pathname.startsWith('/upload/')) {
    if (method === 'PUT') return 'chunk'
    if (method === 'DELETE') return 'cancel'
    return url.searchParams.get('uploadType') === 'resumable' ? 'begin' : 'insert'
  }
  if (method === 'DELETE') return 'delete'
  if (/\/o$/.test(url.pathname)) return 'list'
  return url.searchParams.get('alt') === 'media' ? 'media' : 'get'
}

function describe(bucket: string, name: string, object: GcsObject): Record<string, unknown> {
  return {
    ...object.fields,
    kind: 'storage#object',
    bucket,
    name,
    generation: String(object.generation),
    metageneration: '1',
    size: String(object.bytes.length),
    updated: object.updated.toISOString(),
    md5Hash: createHash('md5').update(object.bytes).digest('base64'),
    crc32c: crc32c(object.bytes),
  }
}

/** The bodies of a multipart message. */
function partsOf(body: Buffer, boundary: string): Buffer[] {
  const parts: Buffer[] = []
  const mark = Buffer.from(`--${boundary}`)
  for (let at = body.indexOf(mark); at >= 0; ) {
    const next = body.indexOf(mark, at + mark.length)
    if (next < 0) break
    const content = body.indexOf('\r\n\r\n', at) + 4
    parts.push(body.subarray(content, next - 2))
    at = next
  }
  return parts
}

const CRC32C = Array.from({ length: 256 }, (_, n) => {
  let value = n
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value >>> 0
})

/** Base64 of the checksum's four bytes, big-endian. */
function crc32c(bytes: Uint8Array): string {
  let value = 0xffffffff
  for (const byte of bytes) value = (CRC32C[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8)
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE((value ^ 0xffffffff) >>> 0)
  return digest.toString('base64')
}

function json(document: unknown): Answer {
  return { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(document)) }
}
