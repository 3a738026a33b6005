/** A witness over HTTP and nothing else: a small server to run on a host operated by somebody else. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { formatCosignerKey } from '../../../keys/index.ts'
import { MAX_REQUEST_BYTES } from './request.ts'
import { Witness, type WitnessOptions } from './witness.ts'

/** Shown when a witness starts and on its home page. */
export const WITNESS_NOTICE =
  'a witness on the same host as the log, or under the same administrators, proves nothing: run it elsewhere'

/** Milliseconds for a request to arrive whole. */
const REQUEST_TIMEOUT_MS = 10_000
const MAX_CONNECTIONS = 100

export interface ServeWitnessOptions extends WitnessOptions {
  /** 0 is any free one. */
  readonly port: number
  /** Address to listen on; default loopback, for a proxy that brings TLS. */
  readonly host?: string
  /** Called with errors that prevented a response. */
  readonly onError?: (error: unknown) => void
}

export interface WitnessServer {
  /** Submission and monitoring prefix. */
  readonly url: string
  /** What logs configure to trust it: name, key hash and key. */
  readonly verifierKey: string
  readonly notice: string
  close(): Promise<void>
}

/** Serves `POST /add-checkpoint`, `GET /<SHA-256 of origin>/checkpoint`, and `GET /`, which says who it is. */
export async function serveWitness(options: ServeWitnessOptions): Promise<WitnessServer> {
  const { host = '127.0.0.1', onError } = options
  const witness = await Witness.open(options)
  const verifierKey = formatCosignerKey(options.key)
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      handle(witness, verifierKey, request, response).catch((error: unknown) => {
        onError?.(error)
        if (response.headersSent) response.destroy()
        else send(response, 500, 'the witness could not keep its state\n')
      })
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  try {
    server.listen(options.port, host)
    await once(server, 'listening')
  } catch (error) {
    await witness.close()
    throw error
  }
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/`,
    verifierKey,
    notice: WITNESS_NOTICE,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      await witness.close()
    },
  }
}

async function handle(
  witness: Witness,
  verifierKey: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const [, originHash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(path) ?? []
  if (request.method === 'POST' && path === '/add-checkpoint') {
    const body = await readBody(request)
    if (body === null) return send(response, 413, 'the request is too large\n', undefined, true)
    const reply = await witness.addCheckpoint(body)
    return send(response, reply.status, reply.body, reply.contentType)
  }
  if (request.method !== 'GET')
    return send(response, path === '/add-checkpoint' ? 405 : 404, 'not found\n', undefined, true)
  if (path === '/') return send(response, 200, `${verifierKey}\n${WITNESS_NOTICE}\n`)
  const note = originHash === undefined ? null : await witness.checkpoint(originHash)
  return note === null ? send(response, 404, 'checkpoint not found\n') : send(response, 200, note)
}

/** null when there is more than {@link MAX_REQUEST_BYTES}. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.from(chunk as Uint8Array)
    length += bytes.length
    if (length > MAX_REQUEST_BYTES) return null
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

/** @param close the connection, because the rest of the request was not read */
function send(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
  close = false,
): void {
  response.writeHead(status, {
    'content-type': contentType,
    'cache-control': 'no-store',
    ...(close ? { connection: 'close' } : {}),
  })
  response.end(body)
}
