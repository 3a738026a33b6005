import { beforeAll, describe, expect, it } from 'vitest'
import { httpLimits } from '../../src/http/index.ts'
import { createApiKey } from '../../src/identity/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase, tester } from '../support/index.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const admin = database.open('security_admin')
const application = database.open('app')
const server = testServer(database)
const bearer = { host: 'localhost', authorization: '' }
let app: ReturnType<typeof server.app>
let sender: string

beforeAll(async () => {
  const user = await makeUser(database, 'security_admin')
  const { key } = await createApiKey(application, user, {
    name: 'events',
    scopes: ['events:read', 'events:write'],
  })
  bearer.authorization = `Bearer ${key}`
  sender = user.userId
  app = server.app()
})
const DAY_MS = 86_400_000

let made = 0
function event(changes: Record<string, unknown> = {}): Record<string, unknown> {
  made += 1
  return {
    event_type: 'coupon_guessed',
    event_category: 'data_access',
    severity: 'medium',
    source_service: 'shop',
    user_name: `guest-${made}`,
    created_at: new Date().toISOString(),
    ...changes,
  }
}

function post(body: string | Uint8Array, type = 'application/json', query = '', headers = {}) {
  return overSocket(app, {
    method: 'POST',
    url: `/v1/events${query}`,
    headers: { ...bearer, 'content-type': type, ...headers },
    payload: typeof body === 'string' ? body : Buffer.from(body),
  })
}

const count = async () => {
  const { rows } = await admin.transaction(tester, (session) =>
    session.query<{ count: number }>(
      'select count(*)::integer as count from akashi_security.security_events',
    ),
  )
  return rows[0]?.count ?? -1
}

describe('POST /v1/events', () => {
  it('takes one event, written over lines or not, an array, and JSON lines', async () => {
    const before = await count()
    const one = await post(JSON.stringify(event(), null, 2))
    expect(one.json()).toEqual({ read: 1, accepted: 1, stored: 1, known: 0, rejected: [] })
    const several = await post(JSON.stringify([event(), event()], null, 2), 'application/json; charset=utf-8')
    expect(several.json()).toMatchObject({ read: 2, stored: 2 })
    const lines = [event(), event(), event()].map((each) => JSON.stringify(each)).join('\r\n')
    expect((await post(`${lines}\n`, 'application/x-ndjson')).json()).toMatchObject({ read: 3, stored: 3 })
    expect(await count()).toBe(before + 6)
  })

  it('adds nothing when the same is sent again, also within one body', async () => {
    const body = JSON.stringify([event(), event({ id: '0199d3a0-0000-7000-8000-000000000001' })])
    expect((await post(body)).json()).toMatchObject({ stored: 2, known: 0 })
    expect((await post(body)).json()).toMatchObject({ accepted: 2, stored: 0, known: 2 })
    const same = event({ id: '0199d3a0-0000-7000-8000-000000000002' })
    expect((await post(JSON.stringify([same, same]))).json()).toMatchObject({ stored: 1, known: 1 })
  })

  it('keeps who sent it, which no sender can say', async () => {
    const id = '0199d3a0-0000-7000-8000-000000000003'
    await post(JSON.stringify(event({ id, source_ip: '198.51.100.9', event_details: { a: 1 } })))
    const { rows } = await admin.transaction(tester, (session) =>
      session.query('select source_ip, event_details from akashi_security.security_events where id = $1', [
        id,
      ]),
    )
    expect(rows).toEqual([
      {
        source_ip: '198.51.100.9',
        event_details: {
          a: 1,
          ingest: {
            format: 'json',
            line: 1,
            sender: { address: '127.0.0.1', request_id: expect.any(String), user_id: sender },
          },
        },
      },
    ])
    const forged = await post(JSON.stringify(event({ event_details: { ingest: { sender: 'x' } } })))
    expect(forged.statusCode).toBe(400)
  })

  it('judges events one by one', async () => {
    const good = event()
    const answer = await post(
      JSON.stringify([
        good,
        event({ severity: 'terrible' }),
        event({ created_at: new Date(Date.now() - 7.01 * DAY_MS).toISOString() }),
        event({ created_at: new Date(Date.now() + 6 * 60_000).toISOString() }),
        event({ misspelt: 1 }),
        event({ created_at: new Date(Date.now() - 6.9 * DAY_MS).toISOString() }),
        event({ created_at: new Date(Date.now() + 4 * 60_000).toISOString() }),
      ]),
    )
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({
      read: 7,
      accepted: 3,
      stored: 3,
      known: 0,
      rejected: [
        { line: 2, reason: expect.stringContaining('severity') },
        { line: 3, reason: 'older than 7 days' },
        { line: 4, reason: 'more than 5 minutes ahead' },
        { line: 5, reason: expect.stringContaining('misspelt') },
      ],
    })
  })

  it('answers 400 and why when none is taken', async () => {
    const answer = await post(JSON.stringify(event({ severity: 'terrible' })))
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json().errors).toEqual([{ line: 1, reason: expect.stringContaining('severity') }])
    for (const [body, type] of [
      ['', 'application/json'],
      ['', 'application/x-ndjson'],
      ['{', 'application/json'],
      ['[]', 'application/json'],
    ] as const) {
      expect((await post(body, type)).statusCode, `${type} ${body}`).toBe(400)
    }
    expect((await post('a,b', 'text/csv')).statusCode).toBe(415)
  })

  it('takes events of OCSF and CloudTrail', async () => {
    const ocsf = {
      class_uid: 3002,
      activity_id: 1,
      severity_id: 2,
      status_id: 2,
      time: Date.now(),
      metadata: { version: '1.4.0', product: { name: 'idp' } },
      src_endpoint: { ip: '203.0.113.5' },
    }
    expect((await post(JSON.stringify(ocsf), 'application/json', '?format=ocsf')).json()).toMatchObject({
      stored: 1,
      rejected: [],
    })
    expect((await post('{}', 'application/json', '?format=sshd')).statusCode).toBe(400)
  })

  it('needs the key, and has an end', async () => {
    const open = await overSocket(app, {
      method: 'POST',
      url: '/v1/events',
      headers: { host: 'localhost' },
      payload: event(),
    })
    expect(open.statusCode).toBe(401)
    const large = server.app({}, {}, { ...httpLimits, bodyBytes: 1_000 })
    const answer = await overSocket(large, {
      method: 'POST',
      url: '/v1/events',
      headers: bearer,
      payload: event({ description: 'x'.repeat(2_000) }),
    })
    expect(answer.statusCode).toBe(413)
  })

  it('is refused under a context that is not signed', async () => {
    const unsigned = server.app(
      {},
      {
        app: database.open('app', { contextKey: { id: 'unknown', secret: new Uint8Array(32) } }),
      },
    )
    const answer = await overSocket(unsigned, {
      method: 'POST',
      url: '/v1/events',
      headers: bearer,
      payload: event(),
    })
    expect(answer.statusCode).toBe(403)
  })

  it('sends away whoever comes while too many wait, and loses nothing of the others', async () => {
    const held = Promise.withResolvers<void>()
    const slow = server.app(
      {},
      {
        app: {
          ...application,
          role: 'app',
          transaction: async (actor, work, options) => {
            await held.promise
            return await application.transaction(actor, work, options)
          },
        },
      },
    )
    const before = await count()
    const requests = Array.from({ length: 40 }, () =>
      overSocket(slow, { method: 'POST', url: '/v1/events', headers: bearer, payload: event() }),
    )
    // All of them: one that is still on its way when the others are let go would find a place.
    const refused: Awaited<(typeof requests)[number]>[] = []
    for (const request of requests) void request.then((answer) => refused.push(answer))
    await expect.poll(() => refused.length, { timeout: 30_000 }).toBe(8)
    for (const { statusCode, headers } of refused) {
      expect(statusCode).toBe(429)
      expect(headers['retry-after']).toBe('1')
    }
    held.resolve()
    const answers = await Promise.all(requests)
    const taken = answers.filter(({ statusCode }) => statusCode === 200)
    expect(taken).toHaveLength(32)
    expect(await count()).toBe(before + taken.length)
  })
})

describe('GET and PATCH /v1/events', () => {
  const get = (url: string) => overSocket(app, { url, headers: bearer })

  it('search, count over time, read one, and say what is done', async () => {
    await post(JSON.stringify(event({ event_type: 'searched', severity: 'high' })))
    const found = (await get('/v1/events?type=searched&minSeverity=high&limit=1')).json()
    expect(found).toMatchObject({ rows: [{ type: 'searched', status: 'open' }], next: null })
    const [{ id }] = found.rows
    const changed = await overSocket(app, {
      method: 'PATCH',
      url: `/v1/events/${id}`,
      headers: bearer,
      payload: { status: 'resolved', notes: 'done' },
    })
    expect(changed.json()).toMatchObject({ eventId: id, status: 'resolved', notes: 'done' })
    expect((await get(`/v1/events/${id}`)).json()).toMatchObject({ id, status: 'resolved', notes: 'done' })
    const from = new Date(Date.now() - 3_600_000).toISOString()
    const to = new Date(Date.now() + 3_600_000).toISOString()
    const timeline = await get(`/v1/events/timeline?type=searched&interval=1h&from=${from}&to=${to}`)
    expect(timeline.json()).toMatchObject({ interval: '1h', total: 1 })
    expect(timeline.json().buckets).toHaveLength(2)
  })

  it.each([
    ['/v1/events?limit=0', 400],
    ['/v1/events?from=yesterday', 400],
    ['/v1/events?unknown=1', 400],
    ['/v1/events/timeline?interval=1h', 400],
    ['/v1/events/nothing', 400],
    ['/v1/events/0199d3a0-0000-7000-8000-00000000dead', 404],
  ])('%s answers %i', async (url, status) => {
    expect((await get(url)).statusCode).toBe(status)
  })

  it('changes nothing but what is named', async () => {
    const change = await overSocket(app, {
      method: 'PATCH',
      url: '/v1/events/0199d3a0-0000-7000-8000-00000000dead',
      headers: bearer,
      payload: { severity: 'info' },
    })
    expect(change.statusCode).toBe(400)
  })
})
