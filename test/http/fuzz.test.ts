/**
 * Every operation of the contract and every page, as nobody's client would ask for them: values of other types, sizes
 * and encodings in each place of a request, documents 400,000 levels deep, repeated and unknown parameters, bodies
 * that are slow, cut off or sent twice. The server is a process of its own. AKASHI_LONG=1 sends every request that
 * there is; else a part of them, which AKASHI_SEED chooses.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Operation, operations } from '@akashi/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { akashi, akashiServer, type Running } from '../../scripts/akashi-process.ts'
import { given } from '../../src/foundation/index.ts'
import { ask } from '../support/embedded.ts'
import { startThrowaway, type ThrowawayServer } from '../support/embedded-server.ts'
import { random } from '../support/random.ts'
import { hostileRequests, plainRequests, type Target } from './fuzz/requests.ts'
import { exchange, type Wire } from './fuzz/wire.ts'
import { listen, open, testApp } from './support.ts'

const LONG = process.env['AKASHI_LONG'] === '1'
const SEED = Number(process.env['AKASHI_SEED'] ?? 1)
/** Hostile requests of each operation. */
const PER_OPERATION = LONG ? Number.POSITIVE_INFINITY : 16
const AT_ONCE = 4
const TIMEOUT_MS = LONG ? 7_200_000 : 600_000
/** What an account may ask of a budgeted operation is spent by one; the next goes on. */
const ADMINISTRATORS = 4
const TIMED_OUT = 504
const PASSWORD = 'kettle violet tram 9'
const LOGIN = 'akashi_server'

const pages: readonly Target[] = [
  '/',
  '/chat',
  '/chat/{room}',
  '/account/{page}',
  '/sign-in',
  '/evidence',
  '/assets/{file}',
  '/status/{file}',
  '/docs/json',
  '/docs/static/{file}',
  '/healthz',
  '/readyz',
  '/metrics',
  '/v1/chat/socket',
  '/v1/{nowhere}',
].map((path) => ({
  method: 'GET',
  path,
  operation: {
    params: z.object(
      Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, z.string()])),
    ),
  },
}))

/** Bodies that the contract leaves open. */
const bodies: Readonly<Record<string, () => unknown>> = {
  'POST /v1/chat/rooms/{roomId}/files': () => 'the text of a file',
  'PUT /v1/chat/avatar': () => 'no picture',
  'POST /v1/chat/groups': () => ({ userIds: [ids['victim'], ids['colleague']] }),
  'POST /v1/events': () => ({
    event_type: 'coupon_guessed',
    event_category: 'data_access',
    severity: 'medium',
    source_service: 'shop',
    created_at: new Date().toISOString(),
    event_details: { coupon: 'x' },
  }),
}

const targets: readonly Target[] = [
  ...Object.entries(operations).map(([name, operation]) => {
    const [method = '', path = ''] = name.split(' ')
    const { params, query, body: schema }: Operation = operation
    const body = bodies[name]
    return { method, path, operation: given({ params, query, body: schema }), ...given({ body }) }
  }),
  ...pages,
]

/** They end the session that asks. */
const endsSession = new Set(['DELETE /v1/session', 'DELETE /v1/me/sessions'])

/** They take what there is none of here: a code, a challenge, a member, a backup, a sealed row, a scanned file. */
const refusedAnyway = new Set([
  'POST /v1/session',
  'POST /v1/session/step-up',
  'GET /v1/oidc/{name}/start',
  'PUT /v1/me/password',
  'POST /v1/me/passkeys',
  'DELETE /v1/me/passkeys/{id}',
  'DELETE /v1/users/{id}/sessions/{sessionId}',
  'PATCH /v1/jobs/{job}',
  'DELETE /v1/chat/rooms/{roomId}/bans/{userId}',
  'POST /v1/me/mfa/{id}/confirm',
  'DELETE /v1/me/mfa/{id}',
  'POST /v1/me/mfa/recovery-codes',
  'DELETE /v1/roles/{role}',
  'PUT /v1/roles/{role}/permissions/{permission}',
  'POST /v1/users/{id}/erasure',
  'GET /v1/users/{id}/erasure',
  'POST /v1/approvals/{id}/confirm',
  'DELETE /v1/approvals/{id}',
  'GET /v1/access-reviews/{id}',
  'POST /v1/access-reviews/{id}/items/{itemId}',
  'GET /v1/ledger/{log}/proofs/{row}',
  'GET /v1/ledger/{log}/{*}',
  'PATCH /v1/archive/policies/{table}',
  'POST /v1/query',
  'GET /v1/restores/plan',
  'POST /v1/restores',
  'POST /v1/chat/rooms/{roomId}/leave',
  'PATCH /v1/chat/rooms/{roomId}/members/{userId}',
  'DELETE /v1/chat/rooms/{roomId}/members/{userId}',
  'POST /v1/chat/invitations/{invitationId}/accept',
  'POST /v1/chat/invitations/{invitationId}/decline',
  'DELETE /v1/chat/invitations/{invitationId}',
  'PUT /v1/chat/avatar',
  'GET /v1/chat/avatars/{avatarId}',
  'GET /v1/me/audit/{id}/proof',
  'GET /v1/chat/files/{fileId}/content',
  'GET /v1/chat/files/{fileId}/thumbnail',
  'GET /assets/{file}',
  'GET /status/{file}',
  'GET /docs/static/{file}',
  'GET /v1/chat/socket',
  'GET /v1/{nowhere}',
  // What they name is not there, or needs what this server was not given.
  'PUT /v1/audit/protections/{table}',
  'PUT /v1/audit/exemptions/{table}',
  'POST /v1/audit/protections/{table}/end',
  'POST /v1/witnesses',
  'POST /v1/witnesses/forget',
  'POST /v1/detection/backtest',
  'GET /v1/detection/findings/{id}',
  'GET /v1/detection/findings/{id}/bundle',
  'PATCH /v1/detection/findings/{id}',
  'POST /v1/channels',
  'PATCH /v1/channels/{id}',
  'DELETE /v1/channels/{id}',
  'POST /v1/channels/{id}/test',
  'GET /v1/channels/{id}/dead-letters',
  'POST /v1/channels/{id}/replay',
  'PUT /v1/archive/copy-policies/{table}',
  'PUT /v1/query/saved/{id}',
  'DELETE /v1/query/saved/{id}',
  'POST /v1/query/thaw',
  'GET /v1/restores/{id}',
  'DELETE /v1/restores/{id}',
  'POST /v1/jobs/{job}/runs',
  'POST /v1/alarms/{id}/acknowledge',
  'POST /v1/alarms/silences',
  'DELETE /v1/alarms/silences/{id}',
  'POST /v1/keys/rotations',
  'GET /v1/evidence-room',
  'GET /v1/evidence-room/file',
  'GET /v1/evidence-room/reports/{id}/file',
  'POST /v1/evidence-room/session',
  'DELETE /v1/evidence-room/session',
  'POST /v1/evidence/links',
  'POST /v1/evidence/links/{id}/revoke',
  'GET /v1/reports/{id}',
  'GET /v1/reports/{id}/file',
])

let database: ThrowawayServer
let folder = ''
let server: Running | undefined
let port = 0
const crew: { readonly login: string; headers: Record<string, string> }[] = []
const services: Record<string, string>[] = []
const ids: Record<string, string> = {}

const known = {
  reason: () => 'asked for by a test',
  username: () => `someone-${Math.floor(Math.random() * 1e9)}`,
  email: () => `${Math.floor(Math.random() * 1e9)}@example.com`,
  userId: () => ids['victim'],
  assignee: () => ids['victim'],
  senderId: () => ids['victim'],
  roomId: () => ids['room'],
  messageId: () => ids['message'],
  replyToId: () => ids['message'],
  fileId: () => ids['file'],
  mentions: () => ids['victim'],
  userIds: () => ids['victim'],
  role: () => 'viewer',
  roles: () => 'viewer',
  permission: () => 'users:read',
  scopes: () => 'users:read',
  key: () => 'lockout.threshold',
  account: () => 'robot',
  serviceAccount: () => 'robot',
  log: () => 'audit_logs',
  schema: () => 'akashi_auth',
  table: () => 'akashi_chat.messages',
  recordId: () => ids['victim'],
  row: () => ids['row'],
  sql: () => 'select count(*) from akashi_chat.messages',
  objects: () => 'archive/none.parquet',
  environment: () => 'test',
  code: () => '123456',
  purpose: () => 'analytics',
  total: () => '2555 days',
  hot: () => '90 days',
  lateness: () => '1 day',
  emoji: () => '\u{1f44d}',
  returnTo: () => '/chat',
  at: () => new Date().toISOString(),
  asOf: () => new Date().toISOString(),
  from: () => '2026-01-01T00:00:00Z',
  to: () => '2026-01-02T00:00:00Z',
  current: () => 'not the password',
  password: () => 'not the password',
  challenge: () => 'none',
  value: () => 5,
  seconds: () => 60,
  rule: () => 'brute_force_by_address',
} as const

/** What `id` and `table` name depends on the path. */
function knownOf({ path }: Target) {
  const id = Object.entries({
    users: 'victim',
    'api-keys': 'key',
    events: 'event',
    sessions: 'session',
  }).find(([part]) => path.includes(`/${part}/`))?.[1]
  return {
    ...known,
    ...(id === undefined ? {} : { id: () => ids[id] }),
    ...(path.includes('/audit/') ? { table: () => 'users' } : {}),
    ...(path.includes('/restores') ? { table: () => 'public.notes' } : {}),
  }
}

beforeAll(async () => {
  database = await startThrowaway()
  folder = await mkdtemp(join(tmpdir(), 'akashi-fuzz-'))
  const env = {
    DATABASE_URL: database.url('postgres'),
    KEYS_URL: `file:${join(folder, 'keys')}`,
    OBJECT_STORE_URL: `file:${join(folder, 'objects')}`,
    AKASHI_TRUSTED_PROXIES: '127.0.0.1',
    AKASHI_LOG_LEVEL: 'error',
  }
  const data = ['--data', join(folder, 'data')]
  expect(await akashi(['migrate', 'up', ...data], { env })).toMatchObject({ status: 0 })
  await ask(database.url('postgres'), `alter role ${LOGIN} replication password '${PASSWORD}'`)
  await ask(
    database.url('postgres'),
    "update akashi_auth.security_policies set value = '[]' where key = 'mfa.required_tiers'",
  )
  const url = new URL(database.url('postgres'))
  url.username = LOGIN
  url.password = PASSWORD
  server = await akashiServer(['serve', ...data, '--port', '0'], { env: { ...env, DATABASE_URL: url.href } })
  port = Number(new URL(server.url).port)
  await recruit()
}, TIMEOUT_MS)

afterAll(async () => {
  await server?.stop()
  await database?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The first administrator, and further ones with the same password. */
async function recruit(): Promise<void> {
  const said = /one-time password \(shown only once\): (\S+)$/m.exec(server?.output() ?? '')
  const begun = await signIn('admin', said?.[1] ?? '')
  await send(begun, 'PUT', '/v1/me/password', { current: said?.[1], next: PASSWORD })
  const first = await signIn('admin', PASSWORD)
  crew.push({ login: 'admin', headers: first })
  for (let index = 1; index < ADMINISTRATORS; index += 1) {
    const login = `admin-${index}`
    const id = await person(first, login)
    await send(first, 'PUT', `/v1/users/${id}/roles/sys_admin`, {})
    crew.push({ login, headers: await signIn(login, PASSWORD) })
  }
  const victim = await person(first, 'victim')
  ids['victim'] = victim
  ids['colleague'] = await person(first, 'colleague')
  await send(first, 'PUT', `/v1/users/${victim}/roles/viewer`, {})
  await send(first, 'POST', '/v1/service-accounts', { name: 'robot', tier: 'system', roles: ['sys_admin'] })
  const { permissions } = await send(first, 'GET', '/v1/permissions/mine')
  for (let index = 0; index < ADMINISTRATORS; index += 1) {
    const body = { name: 'k', serviceAccount: 'robot', scopes: permissions, tier: 'system' }
    const { key } = await send(first, 'POST', '/v1/api-keys', body)
    services.push({ authorization: `Bearer ${key}` })
  }
  await settle()
}

/** What the requests name, owned by one of the administrators; again, since some requests delete it. */
async function settle(turn = 0): Promise<void> {
  const owner = crew[turn % crew.length]
  if (owner === undefined) throw new Error('there is nobody')
  const { id: room } = await send(owner.headers, 'POST', '/v1/chat/rooms', { name: 'here', type: 'public' })
  const { id: message } = await send(owner.headers, 'POST', `/v1/chat/rooms/${room}/messages`, {
    content: 'text',
  })
  const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/rooms/${room}/files?name=a.txt`, {
    method: 'POST',
    headers: { ...owner.headers, 'content-type': 'text/plain' },
    body: 'a file',
  })
  const { id: file } = z.object({ id: z.string() }).parse(await answer.json())
  const { rows } = await send(owner.headers, 'GET', '/v1/audit/logs?limit=1')
  const { id: key } = await send(owner.headers, 'POST', '/v1/api-keys', { name: 'k' })
  const session = await otherSession(owner)
  await send(owner.headers, 'POST', '/v1/events', bodies['POST /v1/events']?.() as object)
  const { rows: events } = await send(owner.headers, 'GET', '/v1/events?limit=1')
  await send(owner.headers, 'PUT', '/v1/policies/api_key.max_per_owner', { value: 10_000 })
  await ask(database.url('postgres'), 'create table if not exists notes (id integer primary key)')
  Object.assign(ids, {
    room,
    message,
    file,
    key,
    row: rows[0].id,
    session: session ?? key,
    event: events[0].id,
  })
}

/** A session that does not ask, or undefined when the password was changed by a request. */
async function otherSession(owner: (typeof crew)[number]): Promise<string | undefined> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const { sessions } = await send(owner.headers, 'GET', '/v1/me/sessions')
    const other = sessions.find(({ current }: { current: boolean }) => !current)
    if (other !== undefined) return other.id
    await signIn(owner.login, PASSWORD).catch(() => undefined)
  }
  return undefined
}

/** Somebody with the first administrator's password. */
async function person(as: Record<string, string>, username: string): Promise<string> {
  const { id } = await send(as, 'POST', '/v1/users', { username, email: `${username}@example.com` })
  await ask(
    database.url('postgres'),
    `insert into akashi_auth.local_credentials (user_id, password_hash)
     select u.id, c.password_hash from akashi_auth.local_credentials c
     join akashi_auth.users a on a.id = c.user_id and a.username = 'admin'
     join akashi_auth.users u on u.username = '${username}'
     on conflict (user_id) do update set password_hash = excluded.password_hash, must_change = false, expires_at = null`,
  )
  return id
}

async function signIn(login: string, password: string): Promise<Record<string, string>> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': address() },
    body: JSON.stringify({ login, password }),
  })
  const cookie = /__Host-akashi-session=[^;]+/.exec(answer.headers.getSetCookie().join('; '))?.[0]
  if (cookie === undefined)
    throw new Error(`${login} cannot sign in: ${answer.status} ${await answer.text()}`)
  return { cookie, 'x-akashi-request': '1' }
}

// biome-ignore lint/suspicious/noExplicitAny: responses of many shapes
async function send(as: Record<string, string>, method: string, path: string, body?: object): Promise<any> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { ...as, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

let asked = 0
/** Another one each time, so that no address asks too often. */
function address(): string {
  asked += 1
  return `10.${(asked >> 16) & 255}.${(asked >> 8) & 255}.${asked & 255}`
}

interface Outcome {
  readonly statuses: readonly number[]
  readonly fault?: string
}

/** As a person, or as a service that holds everything: each sees routes that the other does not. */
async function attempt(target: Target, request: Wire, turn: number, asService: boolean): Promise<Outcome> {
  const caller = crew[turn % crew.length]
  const headers = asService ? services[turn % services.length] : caller?.headers
  const named = `${target.method} ${target.path}`
  try {
    const { statuses, text } = await exchange(port, {
      ...request,
      headers: { 'x-forwarded-for': address(), ...headers, ...request.headers },
    })
    if (statuses.includes(401) && caller !== undefined && headers === caller.headers) {
      caller.headers = await signIn(caller.login, PASSWORD).catch(() => caller.headers)
    }
    const expected = request.arrival === 'cut' ? 0 : 1
    // A query has the time that its caller gives it.
    const isTimeOfQuery = (status: number) => status === TIMED_OUT && target.path === '/v1/query'
    const fault =
      statuses.length < expected || statuses.some((status) => status >= 500 && !isTimeOfQuery(status))
    return fault ? { statuses, fault: describeRequest(named, request, text) } : { statuses }
  } catch (error) {
    return { statuses: [], fault: describeRequest(named, request, String(error)) }
  }
}

function describeRequest(
  named: string,
  { target, headers, body, arrival, method }: Wire,
  text: string,
): string {
  const shown = body === undefined ? '' : ` ${JSON.stringify(body.subarray(0, 300).toString('latin1'))}`
  return `${named} (${arrival ?? 'at once'}): ${method} ${target.slice(0, 300)} ${JSON.stringify(headers).slice(0, 200)}${shown} → ${text.replaceAll(/\s+/g, ' ').slice(0, 600)}`
}

/** A part of them in a random order. */
function some<T>(from: readonly T[], count: number, next: () => number): T[] {
  return from
    .map((value) => ({ value, at: next() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ value }) => value)
}

async function inParallel<T>(work: readonly T[], each: (item: T) => Promise<void>): Promise<void> {
  const left = [...work]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await each(item)
    }),
  )
}

describe('a server that is asked wrongly', () => {
  it('is asked for everything that it describes', async () => {
    const { paths } = await send({}, 'GET', '/docs/json')
    const described = Object.entries<object>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    // A wildcard and a parameter of the same place.
    const nameless = (name: string) => name.replaceAll(/\{[^}]*\}|\*/g, '{}')
    const asked = new Set(targets.map(({ method, path }) => nameless(`${method} ${path}`)))
    expect(described.filter((name) => !asked.has(nameless(name)))).toEqual([])
  })

  it('serves every operation that is asked for rightly', { timeout: TIMEOUT_MS }, async () => {
    const faults: string[] = []
    const served = new Set<string>()
    for (const [turn, target] of targets.entries()) {
      const name = `${target.method} ${target.path}`
      if (endsSession.has(name)) continue
      if (/\{(roomId|messageId|fileId|id)\}/.test(target.path)) await settle(turn)
      for (const request of plainRequests(target, knownOf(target))) {
        for (const asService of [false, true]) {
          const { statuses, fault } = await attempt(target, request, turn, asService)
          if (fault !== undefined) faults.push(fault)
          if (statuses.some((status) => status < 400)) served.add(name)
        }
      }
    }
    const refused = targets.map(({ method, path }) => `${method} ${path}`).filter((name) => !served.has(name))
    expect(faults).toEqual([])
    expect(refused.filter((name) => !refusedAnyway.has(name) && !endsSession.has(name))).toEqual([])
  })

  it('refuses every other request, and is there for the next', { timeout: TIMEOUT_MS }, async () => {
    const next = random(SEED)
    const faults: string[] = []
    const work = targets
      .filter(({ method, path }) => !endsSession.has(`${method} ${path}`))
      .flatMap((target) =>
        some(hostileRequests(target, knownOf(target)), PER_OPERATION, next).map((request) => ({
          target,
          request,
        })),
      )
    let turn = 0
    await inParallel(some(work, work.length, next), async ({ target, request }) => {
      turn += 1
      const { fault } = await attempt(target, request, turn, turn % 3 === 2)
      if (fault !== undefined) faults.push(fault)
    })
    expect(faults, `AKASHI_SEED=${SEED}`).toEqual([])
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
    expect(server?.output()).not.toMatch(/"level":"(error|fatal)"/)
  })

  it('would be seen to fail', async () => {
    const app = testApp()
    app.post('/try', open, async ({ body }) => {
      if (JSON.stringify(body).includes('\\u0000')) throw new Error('it failed')
      return 'taken'
    })
    const there = await listen(app)
    const target: Target = { method: 'POST', path: '/try', operation: { body: z.object({ a: z.string() }) } }
    const statuses = new Set<number>()
    for (const request of hostileRequests(target, known)) {
      const answer = await exchange(there, request)
      for (const status of answer.statuses) statuses.add(status)
    }
    await app.close()
    expect(statuses).toContain(500)
    expect(statuses).toContain(200)
    expect(statuses).toContain(400)
  })
})
