/** Requests to a served application over a real socket. */
import { once } from 'node:events'
import { type IncomingHttpHeaders, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { testApp } from './support.ts'

type Served = ReturnType<typeof testApp>

export interface Sent {
  readonly method?: string
  readonly url: string
  readonly headers?: object
  /** An object is sent as JSON. */
  readonly payload?: object | string | Buffer
}

export interface Cookie {
  readonly name: string
  readonly value: string
  readonly expires: Date | undefined
}

export interface Answer {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly bytes: Buffer
  readonly cookies: readonly Cookie[]
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects
  json<T = any>(): T
}

const ports = new WeakMap<Served, Promise<number>>()

/** Serves the application on a free port when it is first asked, until it is closed or the test file ends. */
export function portOf(app: Served): Promise<number> {
  const known = ports.get(app)
  if (known !== undefined) return known
  const port = (async () => {
    if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
    app.server.unref()
    return (app.server.address() as AddressInfo).port
  })()
  ports.set(app, port)
  return port
}

/** Sends one request on a connection of its own. */
export async function overSocket(app: Served, sent: Sent | string): Promise<Answer> {
  const { method = 'GET', url, headers = {}, payload } = typeof sent === 'string' ? { url: sent } : sent
  const isDocument = typeof payload === 'object' && !Buffer.isBuffer(payload)
  const body = isDocument ? JSON.stringify(payload) : payload
  const outgoing = send({
    host: '127.0.0.1',
    port: await portOf(app),
    method,
    path: url,
    agent: false,
    headers: {
      ...(isDocument ? { 'content-type': 'application/json' } : {}),
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      ...headers,
    },
  })
  outgoing.end(body)
  const [response] = await once(outgoing, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const text = bytes.toString()
  const set: readonly string[] = response.headers['set-cookie'] ?? []
  return {
    statusCode: response.statusCode,
    headers: response.headers,
    body: text,
    bytes,
    cookies: set.map(cookieOf),
    json: () => JSON.parse(text),
  }
}

function cookieOf(header: string): Cookie {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? []
  const until = /;\s*expires=([^;]+)/i.exec(header)?.[1]
  return {
    name,
    value: decodeURIComponent(value),
    expires: until === undefined ? undefined : new Date(until),
  }
}
