import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AkashiError } from '../../src/foundation/index.ts'
import { controlAccess } from '../../src/http/plugins/access-control.ts'
import type { Actor, Origin } from '../../src/postgres/index.ts'
import { overSocket } from './client.ts'
import { fakeServices, open, status, testApp } from './support.ts'

interface Operation {
  readonly summary?: string
  readonly responses: object
  readonly security?: readonly object[]
}

describe('routes', () => {
  it('answers that it is alive, ready and measured', async () => {
    const app = testApp()
    expect((await overSocket(app, '/healthz')).json()).toEqual({ status: 'alive', version: '0.0.0-test' })
    expect((await overSocket(app, '/readyz')).json()).toMatchObject({
      status: 'ready',
      checks: [{ name: 'database' }],
    })
    const metrics = await overSocket(app, '/metrics')
    expect(metrics.headers['content-type']).toMatch(/^text\/plain/)
    expect(metrics.body).toContain(
      'akashi_http_request_duration_seconds_count{method="GET",route="/readyz",status="200"} 1',
    )
  })

  it('names the dependency that is missing', async () => {
    const readiness = async () => [
      { name: 'database', ok: false, detail: 'connection refused' },
      { name: 'objects', ok: true, detail: '' },
    ]
    const answer = await overSocket(testApp({ readiness }), '/readyz')
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toMatchObject({
      detail: 'not ready: database',
      checks: [{ ok: false }, { ok: true }],
    })
  })

  it('is not ready when the checks hang', async () => {
    const app = testApp({ readiness: () => new Promise(() => undefined) }, { readinessTimeoutMs: 10 })
    expect((await overSocket(app, '/readyz')).statusCode).toBe(503)
  })

  it('returns the system status and drops what the schema does not name', async () => {
    const secret = { ...status, password: 'hidden' }
    const answer = await overSocket(testApp({ systemStatus: async () => secret }), '/v1/status')
    expect(answer.json()).toEqual(status)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  it('fails closed when the state has another shape', async () => {
    const wrong = { ...status, events: '-1' }
    expect((await overSocket(testApp({ systemStatus: async () => wrong }), '/v1/status')).statusCode).toBe(
      500,
    )
  })

  it('serves the page of the state to be asked for again each time', async () => {
    const app = testApp()
    for (const path of ['/status/', '/status/app.js', '/status/app.css']) {
      const answer = await overSocket(app, path)
      expect(answer.statusCode, path).toBe(200)
      expect(answer.headers['cache-control']).toBe('no-cache')
      const again = await overSocket(app, {
        url: path,
        headers: { 'if-none-match': String(answer.headers['etag']) },
      })
      expect(again.statusCode, path).toBe(304)
    }
  })

  it('describes every route of its own in OpenAPI', async () => {
    const document = (await overSocket(testApp(), '/docs/json')).json()
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/healthz',
        '/readyz',
        '/metrics',
        '/v1/audit/logs',
        '/v1/chat/rooms/{roomId}/messages',
      ]),
    )
    for (const [path, methods] of Object.entries<Record<string, Operation>>(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        expect(operation.summary, `${method} ${path}`).toMatch(/\S/)
        const open = operation.security?.length === 0
        if (path.startsWith('/v1/') && !open)
          expect(operation.responses, `${method} ${path}`).toHaveProperty('401')
      }
    }
    const status = document.paths['/v1/status'].get.responses
    expect(status['200'].content['application/json'].schema.properties).toHaveProperty('lastVerification')
    expect(status['401'].content).toHaveProperty('application/problem+json')
  })
})

describe('a route that does not declare its access', () => {
  it('keeps the server from starting, also when a plugin adds it', async () => {
    const app = testApp()
    app.get('/try', async () => 'open')
    app.register((scope, _, done) => {
      scope.get('/of-a-plugin', async () => 'open')
      done()
    })
    const start = app.listen({ host: '127.0.0.1', port: 0 })
    await expect(start).rejects.toThrow(/do not declare their access: .*GET \/try.*GET \/of-a-plugin/)
    await app.close()
  })

  it('is refused when it was added before anybody asked', async () => {
    const app = Fastify()
    app.get('/try', async () => 'open')
    controlAccess(app, fakeServices().identity)
    expect((await overSocket(app, '/try')).statusCode).toBe(500)
  })
})

describe('problem details', () => {
  function appWith(handler: () => unknown) {
    const app = testApp()
    app.get('/try', open, async () => handler())
    return app
  }

  it('tells an error of the catalogue with its hint', async () => {
    const app = appWith(() => {
      throw new AkashiError('conflict', 'the table is frozen', { hint: 'thaw it', detail: { secret: 'x' } })
    })
    const answer = await overSocket(app, { url: '/try', headers: { 'x-request-id': 'r-1' } })
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toEqual({
      type: 'urn:akashi:error:conflict',
      code: 'conflict',
      title: 'the state does not allow this',
      status: 409,
      detail: 'the table is frozen',
      hint: 'thaw it',
      instance: 'r-1',
    })
  })

  it.each([
    new Error('password=hunter2'),
    new AkashiError('internal', 'password=hunter2'),
    'password=hunter2',
  ])('says nothing of what it does not know (%#)', async (error) => {
    const app = appWith(() => {
      throw error
    })
    const answer = await overSocket(app, '/try')
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ type: 'urn:akashi:error:internal' })
    expect(answer.body).not.toContain('hunter2')
  })

  it('reports every mistake of a request at once', async () => {
    const app = testApp()
    const schema = {
      querystring: z.strictObject({ limit: z.coerce.number().int().max(10) }),
      body: z.object({ name: z.string(), 'a/b': z.object({ c: z.boolean() }) }),
    }
    app.post('/try', { ...open, schema }, async (request) => request.query)
    const wrong = await overSocket(app, {
      method: 'POST',
      url: '/try?limit=99&x=1',
      payload: { 'a/b': { c: 1 } },
    })
    expect(wrong.statusCode).toBe(400)
    const places = wrong.json().errors.map((e: { in: string; pointer: string }) => `${e.in} ${e.pointer}`)
    expect(places.sort()).toEqual(['body /a~1b/c', 'body /name', 'querystring ', 'querystring /limit'])
    const right = await overSocket(app, {
      method: 'POST',
      url: '/try?limit=9',
      payload: { name: 'n', 'a/b': { c: true } },
    })
    expect(right.json()).toEqual({ limit: 9 })
  })

  it('tells no such path from no such method', async () => {
    const app = testApp()
    expect((await overSocket(app, '/nowhere')).json()).toMatchObject({
      type: 'urn:akashi:error:not_found',
      status: 404,
    })
    const wrong = await overSocket(app, { method: 'DELETE', url: '/healthz?x=1' })
    expect(wrong.statusCode).toBe(405)
    expect(wrong.headers['allow']).toBe('GET, HEAD')
  })

  it.each([
    ['too_large', 413, { 'content-type': 'application/json' }, JSON.stringify('x'.repeat(2_000))],
    ['unsupported_media_type', 415, { 'content-type': 'text/csv' }, 'a,b'],
    ['invalid_input', 400, { 'content-type': 'application/json' }, '{"a":'],
  ])('refuses a body: %s %i', async (code, status, headers, payload) => {
    const app = testApp({}, { bodyBytes: 1_000 })
    app.post('/try', open, async () => 'taken')
    const answer = await overSocket(app, { method: 'POST', url: '/try', headers, payload })
    expect(answer.json()).toMatchObject({ type: `urn:akashi:error:${code}`, status })
  })

  it('ends a handler that takes too long and aborts its signal', async () => {
    let aborted = false
    const systemStatus = (_: Actor, signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true
          reject(new Error('aborted'))
        })
      })
    const answer = await overSocket(testApp({ systemStatus }, { handlerTimeoutMs: 20 }), '/v1/status')
    expect(answer.json()).toMatchObject({ type: 'urn:akashi:error:timeout', status: 504 })
    expect(aborted).toBe(true)
  })
})

describe('guards', () => {
  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1:3000',
    'a@127.0.0.1',
  ])('refuses the host name %s with the headers of every answer', async (host) => {
    const answer = await overSocket(testApp(), { url: '/v1/status', headers: { host } })
    expect(answer.statusCode).toBe(403)
    expect(answer.json()).toMatchObject({ type: 'urn:akashi:error:forbidden' })
    expect(answer.headers).toHaveProperty('content-security-policy')
  })

  it.each(['localhost', 'LOCALHOST:8080', '127.0.0.1:80', '[::1]:80'])(
    'serves the host name %s',
    async (host) => {
      expect((await overSocket(testApp(), { url: '/healthz', headers: { host } })).statusCode).toBe(200)
    },
  )

  it('refuses other machines', async () => {
    const app = testApp()
    // Injected, because a socket of this machine never has the address of another.
    expect((await app.inject({ url: '/healthz', remoteAddress: '10.1.2.3' })).statusCode).toBe(403)
    expect((await app.inject({ url: '/healthz', remoteAddress: '::ffff:127.0.0.1' })).statusCode).toBe(200)
  })

  it.each([{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic wrong' }, { cookie: 'a=b' }])(
    'asks for credentials under /v1, whatever the path (%j)',
    async (headers) => {
      for (const url of ['/v1/anything', '/v1/me', '/v1/audit/logs']) {
        const answer = await overSocket(testApp(), { url, headers })
        expect(answer.statusCode).toBe(401)
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="akashi"')
        expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
      }
    },
  )

  it('does not take what a proxy forwards for local', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.1' }
    expect((await overSocket(testApp(), { url: '/v1/status', headers })).statusCode).toBe(401)
  })

  it('believes a proxy that it was told of, and nobody else, where a request came from', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.1' }
    for (const [trustedProxies, seen] of [
      [[], '127.0.0.1'],
      [['10.0.0.0/8'], '127.0.0.1'],
      [['127.0.0.1'], '198.51.100.1'],
    ] as const) {
      const app = testApp({ trustedProxies })
      app.get('/who', open, async (request) => request.actor.origin)
      expect((await overSocket(app, { url: '/who', headers })).json()).toMatchObject({ clientIp: seen })
    }
  })

  it('limits the requests of an address, unknown paths and refused keys included', async () => {
    const app = testApp({}, { rateMax: 3 })
    await overSocket(app, '/healthz')
    await overSocket(app, '/nowhere')
    await overSocket(app, '/v1/anything')
    const answer = await overSocket(app, '/healthz')
    expect(answer.json()).toMatchObject({ type: 'urn:akashi:error:rate_limited', status: 429 })
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  })

  it.each(['/', '/docs', '/v1/status', '/nowhere'])('sends a strict policy with %s', async (path) => {
    const { headers } = await overSocket(testApp(), path)
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none';script-src 'self';style-src 'self'")
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['x-frame-options']).toBe('DENY')
    expect(headers['referrer-policy']).toBe('no-referrer')
    expect(headers['strict-transport-security']).toBe('max-age=31536000')
  })
})

describe('the context of a request', () => {
  async function actorOf(headers: Record<string, string>): Promise<{ origin: Origin; echoed: unknown }> {
    const app = testApp()
    app.get('/things/:id', open, async (request) => request.actor.origin)
    const answer = await overSocket(app, { url: '/things/7?q=1', headers })
    return { origin: answer.json(), echoed: answer.headers['x-request-id'] }
  }

  it('says where a request came from', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
    const { origin } = await actorOf({
      'x-request-id': 'r-1',
      'x-correlation-id': 'order-7',
      'user-agent': 'tests',
      traceparent,
    })
    expect(origin).toEqual({
      clientIp: '127.0.0.1',
      userAgent: 'tests',
      requestId: 'r-1',
      correlationId: 'order-7',
      traceId,
      apiEndpoint: 'GET /things/:id',
      applicationVersion: '0.0.0-test',
    })
  })

  it('echoes a request id only when it is fit to be recorded', async () => {
    expect((await actorOf({ 'x-request-id': 'r-1' })).echoed).toBe('r-1')
    for (const id of ['', 'a b', '<script>', 'x'.repeat(129), 'é']) {
      const { origin, echoed } = await actorOf({ 'x-request-id': id })
      expect(echoed).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
      expect(origin.requestId).toBe(echoed)
    }
  })

  it.each([
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `ff-${'a'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`,
    `00-${'a'.repeat(32)}-00f067aa0ba902b7-01-more`,
    `00-${'A'.repeat(32)}-00f067aa0ba902b7-01`,
  ])('starts a new trace for %s', async (traceparent) => {
    const { origin } = await actorOf({ traceparent })
    expect(origin.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(traceparent).not.toContain(origin.traceId)
  })

  it('takes the trace of a later version', async () => {
    const { origin } = await actorOf({ traceparent: `01-${'a'.repeat(32)}-00f067aa0ba902b7-01-more` })
    expect(origin.traceId).toBe('a'.repeat(32))
  })
})
