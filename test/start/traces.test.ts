/** Traces of a running installation, as a collector receives them over a socket (OTLP over HTTP). */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import { headersOf } from '../../src/start/traces/otlp.ts'
import { ask, reachableFolder, removeDataDir } from '../support/embedded.ts'

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly doubleValue?: number }
}

interface Received {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly status: { readonly code?: number; readonly message?: string }
  readonly attributes: readonly Attribute[]
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly Received[] }[]
  }[]
}

const SERVER_KIND = 2
const ERROR = 2
const MINUTES = { timeout: 240_000 }
const NOT_THE_PASSWORD = 'umbrella stapler mould'
const TOKEN = 'Bearer hunter2'

/** A collector: takes what is posted, and lets it be looked at. */
class Collector {
  readonly headers: IncomingHttpHeaders[] = []
  readonly texts: string[] = []
  readonly #server: Server
  /** What it answers; a collector may be overloaded. */
  status = 200

  constructor() {
    this.#server = createServer(async (request, response) => {
      let text = ''
      for await (const chunk of request.setEncoding('utf8')) text += chunk
      if (request.method === 'POST' && request.url === '/v1/traces' && this.status === 200) {
        this.headers.push(request.headers)
        this.texts.push(text)
      }
      response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}')
    })
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  exports(): Export[] {
    return this.texts.map((text) => JSON.parse(text) as Export)
  }

  spans(): Received[] {
    return this.exports().flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    )
  }

  named(name: string): Received[] {
    return this.spans().filter((span) => span.name === name)
  }
}

const attribute = (span: Pick<Received, 'attributes'> | undefined, key: string) => {
  const value = span?.attributes.find((each) => each.key === key)?.value
  return value?.stringValue ?? value?.intValue ?? value?.doubleValue
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const NOT_SAMPLED = '5bf92f3577b34da6a3ce929d0e0e4736'
const OTHER = '6bf92f3577b34da6a3ce929d0e0e4736'

const collector = new Collector()
let data = ''
let running: Running
let superuser = ''
/** The first password of the administrator. */
let oneTime = ''

const send = (path: string, init: RequestInit = {}, flags = '01', trace = TRACE) =>
  fetch(new URL(path, running.url), {
    ...init,
    headers: {
      'content-type': 'application/json',
      'x-akashi-request': '1',
      traceparent: `00-${trace}-${PARENT}-${flags}`,
      ...init.headers,
    },
  })

const signIn = (password: string, flags?: string, trace?: string) => {
  const body = JSON.stringify({ login: 'admin', password })
  return send('/v1/session', { method: 'POST', body }, flags, trace)
}

beforeAll(async () => {
  const endpoint = await collector.start()
  data = await reachableFolder()
  running = await akashiUp(data, {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hunter2',
      OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=shop',
      AKASHI_APP_NAME: 'shop-record',
    },
  })
  oneTime = /one-time password [^:]*: (\S+)/.exec(running.output())?.[1] ?? ''
  const { stdout } = await akashi(['url', '--role', 'superuser', '--data', data, '--json'])
  superuser = (JSON.parse(stdout) as { url: string }).url
}, MINUTES.timeout)

afterAll(async () => {
  await running?.stop()
  await collector.stop()
  await removeDataDir(data)
}, MINUTES.timeout)

it('what a request does is one trace, from its caller to the rows of the trail', MINUTES, async () => {
  expect((await signIn(oneTime)).status).toBe(200)
  expect((await signIn(NOT_THE_PASSWORD, '00', NOT_SAMPLED)).status).toBe(401)
  expect((await send(`/v1/me?secret=${NOT_THE_PASSWORD}`, {}, '01', OTHER)).status).toBe(401)
  await expect.poll(() => collector.named('POST /v1/session')).toHaveLength(1)
  const [request] = collector.named('POST /v1/session')
  expect(request).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: SERVER_KIND })
  expect(attribute(request, 'http.response.status_code')).toBe(200)
  expect(attribute(request, 'http.route')).toBe('/v1/session')
  // Its body was read before it was handled, and its transactions are still part of it.
  const transactions = collector.named('transaction').filter(({ traceId }) => traceId === TRACE)
  expect(transactions.map(({ parentSpanId }) => parentSpanId)).toContain(request?.spanId)
  expect(attribute(transactions[0], 'db.system.name')).toBe('postgresql')
  const recorded = await ask<{ trace: string }>(
    superuser,
    `select distinct trace_id as trace from akashi_audit.audit_logs where trace_id = '${TRACE}'`,
  )
  expect(recorded).toEqual([{ trace: TRACE }])
  expect(collector.spans().filter(({ traceId }) => traceId === NOT_SAMPLED)).toEqual([])
})

it('jobs, sealing, the archive and backups are traces with their steps', MINUTES, async () => {
  await ask(
    superuser,
    `select akashi_lifecycle.create_partitions('akashi_security.security_events', '2016-12-10Z', '2016-12-10Z')`,
  )
  await ask(
    superuser,
    `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, description)
     values ('2016-12-10T08:00:00Z', 'login_failure', 'authentication', 'low', 'sshd', '${NOT_THE_PASSWORD}')`,
  )
  const { status } = await akashi(['jobs', 'run', 'archive-export', '--data', data])
  expect(status).toBe(0)
  await expect.poll(() => collector.named('archive export'), { timeout: 60_000 }).toHaveLength(1)
  await expect
    .poll(() => collector.named('job archive-export').length, { timeout: 60_000 })
    .toBeGreaterThan(0)
  const [archived] = collector.named('archive export')
  expect(attribute(archived, 'akashi.partition')).toBe('security_events_p20161210')
  const job = collector.named('job archive-export').find(({ traceId }) => traceId === archived?.traceId)
  expect(job?.spanId).toBe(archived?.parentSpanId)
  expect(attribute(job, 'akashi.outcome')).toBe('done')
  const sealed = collector
    .named('seal')
    .reduce((sum, span) => sum + Number(attribute(span, 'akashi.rows')), 0)
  expect(sealed).toBeGreaterThan(0)
  // The first start takes a full backup.
  await expect.poll(() => collector.named('backup full'), { timeout: 60_000 }).toHaveLength(1)
  const [backup] = collector.named('backup full')
  for (const step of ['backup receive', 'backup index', 'backup manifest']) {
    expect(collector.named(step), step).toMatchObject([
      { traceId: backup?.traceId, parentSpanId: backup?.spanId },
    ])
  }
})

it('a trace id that a job leaves in the trail is that of its span', MINUTES, async () => {
  const recorded = await ask<{ trace: string }>(
    superuser,
    `select distinct trace_id as trace from akashi_audit.audit_logs where subject like 'system:%' and trace_id is not null`,
  )
  await expect
    .poll(() => {
      const traces = new Set(collector.spans().map(({ traceId }) => traceId))
      return recorded.filter(({ trace }) => !traces.has(trace))
    })
    .toEqual([])
})

it('a failed request says so by its status alone, and nothing delivered holds a value', MINUTES, async () => {
  const delivered = collector.texts.join('\n')
  for (const secret of [oneTime, NOT_THE_PASSWORD, 'hunter2', 'admin', 'x-akashi-request'])
    expect(delivered).not.toContain(secret)
  expect(collector.headers.every(({ authorization }) => authorization === TOKEN)).toBe(true)
  const [first] = collector.exports()[0]?.resourceSpans ?? []
  expect(attribute(first?.resource, 'service.name')).toBe('shop-record')
  expect(attribute(first?.resource, 'service.namespace')).toBe('shop')
  // What the caller got wrong is no error of the server.
  expect(collector.named('POST /v1/session')[0]?.status.code ?? 0).not.toBe(ERROR)
})

it('a collector that takes nothing holds nothing up, and is told of in the log', MINUTES, async () => {
  collector.status = 400
  expect((await send('/healthz')).status).toBe(200)
  await expect.poll(() => running.output()).toContain('the collector takes no traces')
  collector.status = 200
})

it('what is left is delivered at the end', MINUTES, async () => {
  const other = '7bf92f3577b34da6a3ce929d0e0e4736'
  expect((await send('/healthz', {}, '01', other)).status).toBe(200)
  expect(await running.stop()).toBe(0)
  expect(collector.spans().filter(({ traceId }) => traceId === other)).toHaveLength(1)
})

describe('headers for the collector', () => {
  test('are pairs with percent-encoded values', () => {
    expect(headersOf(undefined)).toEqual({})
    expect(headersOf('authorization=Bearer%20a%3Db, x-tenant=1')).toEqual({
      authorization: 'Bearer a=b',
      'x-tenant': '1',
    })
    for (const wrong of ['hunter2', '=hunter2', 'a=%zz']) {
      expect(() => headersOf(wrong)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
      expect(() => headersOf(wrong)).not.toThrow(/hunter2/)
    }
  })
})

test('without a collector, nothing of OpenTelemetry is loaded but its interface, which the metrics bring', async () => {
  const program = `
    const { registerHooks } = await import('node:module')
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    const { serve } = await import('./src/start/index.ts')
    await import('./src/start/http.ts')
    const { startTraces } = await import('./src/start/traces/index.ts')
    await (await startTraces({}, null)).stop()
    process.stdout.write(JSON.stringify(loaded.filter((url) => /opentelemetry[/](?!api[/])/.test(url))))`
  const root = new URL('../..', import.meta.url)
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
  })
  expect(JSON.parse(stdout)).toEqual([])
})
