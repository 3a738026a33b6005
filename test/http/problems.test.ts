/** Every error over a real socket is a problem of the contract: it has a code, and clients may rely on it. */
import { PROBLEM_TYPE, problemDetails } from '@akashi/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AkashiError, errorCatalogue } from '../../src/foundation/index.ts'
import { listen, open, raw, testApp } from './support.ts'

const app = testApp({ readiness: async () => [{ name: 'database', ok: false, detail: 'refused' }] })
const codes = Object.keys(errorCatalogue) as (keyof typeof errorCatalogue)[]
let port: number

beforeAll(async () => {
  for (const code of codes) {
    app.get(`/raise/${code}`, open, () => {
      throw new AkashiError(code, 'the words of it', { hint: 'how to fix it' })
    })
  }
  app.post('/taken', open, async () => 'taken')
  app.get('/unforeseen', open, () => {
    throw new Error('password=hunter2')
  })
  port = await listen(app)
})
afterAll(() => app.close())

async function problemOf(path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
  expect(response.headers.get('content-type')).toContain(PROBLEM_TYPE)
  const problem = problemDetails.parse(await response.json())
  expect(problem.status).toBe(response.status)
  expect(problem.type).toBe(`urn:akashi:error:${problem.code}`)
  return problem
}

describe('an error over HTTP', () => {
  it.each(codes)('carries the code %s', async (code) => {
    const { status, title } = errorCatalogue[code]
    expect(await problemOf(`/raise/${code}`)).toMatchObject({ code, status, title })
  })

  it.each([
    ['not_found', 404, 'GET', '/nowhere', {}],
    ['method_not_allowed', 405, 'DELETE', '/healthz', {}],
    ['unauthenticated', 401, 'GET', '/v1/chat/rooms', {}],
    ['unauthenticated', 401, 'GET', '/v1/nowhere', {}],
    ['forbidden', 403, 'POST', '/v1/session', { headers: { origin: 'https://evil.example' } }],
    ['invalid_input', 400, 'POST', '/taken', json('{"a":')],
    ['invalid_input', 400, 'POST', '/v1/session', json('{"login":1}')],
    [
      'unsupported_media_type',
      415,
      'POST',
      '/taken',
      { headers: { 'content-type': 'text/csv' }, body: 'a,b' },
    ],
    ['too_large', 413, 'POST', '/taken', json(JSON.stringify('x'.repeat(2_000_000)))],
    ['unavailable', 503, 'GET', '/readyz', {}],
    ['internal', 500, 'GET', '/unforeseen', {}],
  ] as const)('is %s %i for %s %s', async (code, status, method, path, init) => {
    expect(await problemOf(path, { method, ...init })).toMatchObject({ code, status })
  })

  it.each([
    ['invalid_input', 'GET / HTTP/9.9\r\n\r\n'],
    ['too_large', `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(70_000)}\r\n\r\n`],
  ])('is %s also for what is no request', async (code, text) => {
    const [, body = ''] = (await raw(port, text)).split('\r\n\r\n')
    expect(problemDetails.parse(JSON.parse(body)).code).toBe(code)
  })
})

function json(body: string): RequestInit {
  return { headers: { 'content-type': 'application/json' }, body }
}
