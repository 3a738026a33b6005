/**
 * Every route as every kind of caller, over a real socket. What the routes declare is the oracle; the spot checks
 * are written by hand, so that a declaration that is wrong is noticed as well.
 */
import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { calendarOf, LiveDetector, OWN_RULES, readRuleFolders } from '../../src/detection/index.ts'
import { type DeclaredRoute, permissionsOf } from '../../src/http/access.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { type Caller, LOG, seedRoles, testCallers } from './callers.ts'

const HOUR_MS = 3_600_000
/** Routes of other scopes that a key of each scope is tried on. */
const OTHER_SCOPES = 12

const database = testDatabase()
const ledger = testLedger(database.open('worker'))
const { clock, table, origin, scoped, ask, named, idOf, withScope, again, send } = testCallers(database)

/** The tables that the requests of the test below name, by route. */
const namedTables: Readonly<Record<string, readonly string[]>> = {
  'POST /v1/query': ['akashi_security.security_events'],
  'POST /v1/detection/backtest': ['akashi_security.security_events'],
  'GET /v1/detection/findings/:id/bundle': [
    'akashi_audit.audit_logs',
    'akashi_security.detection_findings',
    'akashi_security.security_events',
  ],
  'POST /v1/evidence': [
    'akashi_audit.audit_logs',
    'akashi_security.security_events',
    'akashi_auth.login_attempts',
  ],
  'GET /v1/ledger/:log/proofs/:row': [
    'akashi_audit.audit_logs',
    'akashi_security.security_events',
    'akashi_auth.login_attempts',
  ],
}

/** The person of the paths that name one. */
const subject = () => idOf('a plain user')

/** What stands in the parts of a path: nothing that is there, but for the person. */
function pathOf(url: string): string {
  const parts: Record<string, string> = {
    userId: subject(),
    role: 'no_such_role',
    permission: 'users:read',
    key: 'no.policy',
    account: 'no-account',
    log: LOG,
    task: 'full',
    table: 'no.table',
    schema: 'akashi_auth',
    emoji: '%F0%9F%91%8D',
  }
  return url
    .replaceAll(/:(\w+)/g, (_, name: string) => parts[name] ?? randomUUID())
    .replace('*', 'checkpoint')
}

/** A finding that is recorded and sealed; its id. */
async function findSomething(): Promise<string> {
  await ask(
    `select akashi_security.record_event('authentication_failure', 'authentication', 'low', 'app', source_ip => '203.0.113.99')
     from generate_series(1, 6)`,
  )
  await ledger.seal()
  const { rules } = await readRuleFolders([OWN_RULES])
  await new LiveDetector(rules, calendarOf('UTC', [])).round(database.open('worker'), tester)
  await ledger.seal()
  const [found] = await ask<{ id: string }>(
    `select id from akashi_security.detection_findings where entity = '203.0.113.99'`,
  )
  return found?.id ?? ''
}

function expected({ access }: DeclaredRoute, caller: Caller): 'admitted' | 401 | 403 {
  if ('public' in access) return 'admitted'
  // None of them opened a link.
  return 'link' in access ? 401 : expectedOf(access, caller)
}

function expectedOf(
  access: Exclude<DeclaredRoute['access'], { public: unknown } | { link: unknown }>,
  caller: Caller,
): 'admitted' | 401 | 403 {
  if (caller.kind === 'nobody') return 401
  if (caller.pending === true && !('whilePending' in access)) return 403
  if ('scope' in access) {
    if (access.scope === 'none' && caller.kind !== 'session') return 403
    const forPersons = 'self' in access || access.signedIn === 'person'
    if (forPersons && caller.userId === undefined) return 403
  }
  if ('permission' in access) {
    if (access.by === 'session' && caller.kind !== 'session') return 403
    if (access.by !== undefined && caller.userId === undefined) return 403
  }
  if ('permission' in access && !permissionsOf(access, LOG).every(caller.holds)) return 403
  if (
    'others' in access &&
    access.self === ':userId' &&
    caller.userId !== subject() &&
    !caller.holds(access.others)
  )
    return 403
  return access.stepUp === true && caller.stale === true ? 403 : 'admitted'
}

/** Each route and what became of it where that is not what its declaration says. */
async function walk(caller: Caller, routes: readonly DeclaredRoute[]): Promise<string[]> {
  const wrong: string[] = []
  // Signing out comes last: nothing would be admitted after it.
  const ordered = routes.toSorted((a, b) => Number(isSignOut(a)) - Number(isSignOut(b)))
  for (const route of ordered) {
    const { status, text } = await send(caller, route.method, pathOf(route.url))
    const found = status === 401 || status === 403 ? status : 'admitted'
    if (found !== expected(route, caller)) wrong.push(`${route.method} ${route.url}: ${status} ${text}`)
  }
  return wrong
}

const isSignOut = ({ method, url }: DeclaredRoute) => method === 'DELETE' && url === '/v1/session'

describe('every route', () => {
  it.each([
    'nobody',
    'a plain user',
    'a foreign session',
    ...seedRoles,
    'a session that must change its password',
    'a person’s key without scopes',
    'a service key without scopes',
  ])('admits %s as it declares', async (name) => {
    expect(table().length).toBeGreaterThan(100)
    expect(await walk(named(name), table())).toEqual([])
  })

  it('asks a session of an hour ago for a confirmation where it declares so', async () => {
    const now = clock.now()
    clock.set(new Date(now.getTime() + HOUR_MS))
    expect(await walk(named('a session of an hour ago'), table())).toEqual([])
    clock.set(now)
  })

  it('admits a key with exactly the scopes that it asks for, and with no other', async () => {
    const scopesOf = ({ access }: DeclaredRoute) =>
      'permission' in access ? permissionsOf(access, LOG).join(' ') : ''
    const byScopes = Map.groupBy(
      table().filter((route) => scopesOf(route) !== ''),
      scopesOf,
    )
    const oneEach = [...byScopes.values()].flatMap((routes) => routes.slice(0, 1))
    expect(byScopes.size).toBeGreaterThan(15)
    for (const [index, [scopes, routes]] of [...byScopes].entries()) {
      // So that each of them meets as many keys of other scopes.
      const others = [...oneEach, ...oneEach].slice(index + 1, index + 1 + OTHER_SCOPES)
      expect(await walk(named(scopes, scoped), [...routes, ...others]), scopes).toEqual([])
    }
  })

  it('records a refusal under the permission that it declares', async () => {
    const plain = named('a plain user')
    const declared = table().flatMap(({ method, url, access }) =>
      // The first of several that is missing.
      'permission' in access ? [`${permissionsOf(access)[0]} ${method} ${url}`] : [],
    )
    const recorded = await ask<{ refusal: string }>(
      `select distinct resource_id || ' ' || action_performed as refusal from akashi_security.security_events
       where event_type = 'permission_denied' and user_id = $1`,
      [plain.userId],
    )
    expect(recorded.map(({ refusal }) => refusal).sort()).toEqual(declared.sort())
    const inTrail = await ask<{ count: number }>(
      `select count(distinct (resource_id, detail ->> 'endpoint'))::integer as count from akashi_audit.audit_logs
       where event_type = 'permission_denied' and user_id = $1`,
      [plain.userId],
    )
    expect(inTrail).toEqual([{ count: declared.length }])
  })

  it('records the reading that it declares, and no other', async () => {
    const admin = await again('sys_admin')
    const event = { event_type: 'x', event_category: 'system', severity: 'low', source_service: 'test' }
    await send(withScope('events:write'), 'POST', '/v1/events', {
      ...event,
      created_at: new Date().toISOString(),
    })
    const [{ id } = { id: '' }] = await ask<{ id: string }>(
      'select id from akashi_security.security_events limit 1',
    )
    const newest = async (rows: string) =>
      (await ask<{ id: string }>(`select id from ${rows} order by created_at desc limit 1`))[0]?.id
    const trailed = `akashi_auth/users/${subject()}`
    const plain = await again('viewer')
    const { id: room } = JSON.parse(
      (await send(plain, 'POST', '/v1/chat/rooms', { name: 'r', type: 'private' })).text,
    )
    const posted = await send(plain, 'POST', `/v1/chat/rooms/${room}/messages`, { content: 'between us' })
    const { id: message } = JSON.parse(posted.text)
    const reason = 'a complaint about this room'
    // The walk above may have opened one, and there is one at a time.
    await send(admin, 'POST', '/v1/access-reviews')
    const [{ id: accessReview } = { id: '' }] = await ask<{ id: string }>(
      'select id from akashi_auth.access_reviews limit 1',
    )
    // The newest rows are proven below.
    await ledger.seal()
    const finding = await findSomething()
    const span = 'from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&interval=1h'
    for (const [method, path, body] of [
      ['GET', '/v1/users'],
      ['GET', `/v1/users/${subject()}`],
      ['GET', `/v1/users/${subject()}/sessions`],
      ['GET', `/v1/users/${subject()}/roles`],
      ['GET', '/v1/api-keys'],
      ['GET', '/v1/access-rights'],
      ['GET', `/v1/access-reviews/${accessReview}`],
      ['PATCH', `/v1/users/${subject()}`, { displayName: 'P' }],
      ['GET', '/v1/events?limit=1'],
      ['GET', `/v1/events/timeline?${span}`],
      ['GET', `/v1/events/${id}`],
      ['GET', '/v1/detection/findings?limit=1'],
      ['GET', `/v1/detection/findings/${finding}`],
      ['GET', `/v1/detection/findings/${finding}/bundle`],
      ['GET', '/v1/detection/cases?limit=1'],
      ['POST', '/v1/detection/backtest', { rule: 'brute_force_by_address' }],
      ['GET', '/v1/audit/logs?table=users&limit=1'],
      ['GET', `/v1/audit/counts?${span}`],
      ['GET', `/v1/audit/records/${trailed}`],
      ['GET', `/v1/audit/records/${trailed}/as-of/${new Date().toISOString()}`],
      ['GET', `/v1/ledger/audit_logs/proofs/${await newest('akashi_audit.audit_logs')}`],
      ['GET', `/v1/ledger/security_events/proofs/${id}`],
      ['GET', `/v1/ledger/login_attempts/proofs/${await newest('akashi_auth.login_attempts')}`],
      [
        'POST',
        '/v1/evidence',
        {
          logs: ['audit_logs', 'security_events', 'login_attempts'],
          from: '2026-01-01T00:00:00Z',
          to: '2026-01-02T00:00:00Z',
          reason,
        },
      ],
      ['POST', '/v1/query', { sql: 'select id from security_events limit 1' }],
      ['POST', `/v1/chat/rooms/${room}/review`, { reason }],
      ['POST', `/v1/chat/messages/${message}/review`, { reason }],
    ] as const) {
      expect(await send(admin, method, path, body), `${method} ${path}`).toMatchObject({ status: 200 })
    }
    const recorded = await ask<{ reading: string }>(
      `select distinct api_endpoint || ' ' || resource as reading from akashi_audit.audit_logs where event_type = 'data_access'`,
    )
    // Reports and what links show are read, and that is found in the trail, in reports.test.ts.
    const elsewhere = /^\/v1\/(reports|evidence-room)(\/|$)/
    const here = table().filter(({ url }) => !elsewhere.test(url))
    const declared = here.flatMap(({ method, url, access }) =>
      'reads' in access && access.reads !== undefined
        ? (access.reads === '*' ? (namedTables[`${method} ${url}`] ?? []) : [access.reads]).map(
            (resource) => `${method} ${url} ${resource}`,
          )
        : [],
    )
    expect(recorded.map(({ reading }) => reading).sort()).toEqual(declared.sort())
  })
})

describe('a permission for one thing', () => {
  it('does not read the rows of a log through the ledger or a query', async () => {
    await ledger.seal()
    for (const [log, schema] of [
      ['audit_logs', 'akashi_audit'],
      ['security_events', 'akashi_security'],
      ['login_attempts', 'akashi_auth'],
    ] as const) {
      const [{ id } = { id: randomUUID() }] = await ask<{ id: string }>(
        `select id from ${schema}.${log} limit 1`,
      )
      const prover = withScope('ledger:read')
      expect((await send(prover, 'GET', `/v1/ledger/${log}/proofs/${id}`)).status, log).toBe(403)
      expect((await send(prover, 'GET', `/v1/ledger/${log}/chain`)).status, log).toBe(403)
      const whole = { logs: [log], from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z', reason: 'test' }
      expect((await send(prover, 'POST', '/v1/evidence', whole)).status, log).toBe(403)
      const sql = `select * from ${schema}.${log} limit 1`
      expect((await send(withScope('query:read'), 'POST', '/v1/query', { sql })).status, log).toBe(403)
    }
  })

  it('ends no legal hold and shortens no retention with what runs the archive', async () => {
    const table = 'akashi_chat.messages'
    const body = { held: false, reason: 'no longer needed' }
    expect((await send(withScope('archive:write'), 'PUT', `/v1/archive/holds/${table}`, body)).status).toBe(
      403,
    )
    const shorter = { total: '800 days', reason: 'it is enough' }
    const patch = () => send(withScope('archive:write'), 'PATCH', `/v1/archive/policies/${table}`, shorter)
    expect((await patch()).status).toBe(403)
  })
})

describe('spot checks', () => {
  it.each([
    ['nobody', 'GET', '/healthz', 200],
    ['nobody', 'GET', '/metrics', 200],
    ['nobody', 'GET', '/v1/oidc', 200],
    ['nobody', 'GET', '/v1/me', 401],
    ['nobody', 'GET', '/v1/users', 401],
    ['nobody', 'HEAD', '/v1/users', 401],
    ['nobody', 'POST', '/v1/events', 401],
    ['nobody', 'GET', '/v1/chat/socket', 401],
    ['nobody', 'GET', '/v1/nowhere', 401],
    ['a plain user', 'GET', '/v1/me', 200],
    ['a plain user', 'GET', '/v1/chat/rooms', 403],
    ['viewer', 'GET', '/v1/chat/rooms', 200],
    ['a plain user', 'GET', '/v1/permissions/mine', 200],
    ['a plain user', 'GET', '/v1/users/SUBJECT/roles', 200],
    ['a plain user', 'GET', '/v1/users', 403],
    ['a plain user', 'HEAD', '/v1/users', 403],
    ['a plain user', 'GET', '/v1/audit/logs', 403],
    ['a plain user', 'GET', '/v1/events', 403],
    ['a plain user', 'GET', '/v1/ledger', 403],
    ['a plain user', 'POST', '/v1/query', 403],
    ['a plain user', 'POST', '/v1/restores', 403],
    ['a plain user', 'PUT', '/v1/archive/holds/auth.users', 403],
    ['a plain user', 'PUT', '/v1/policies/lockout.threshold', 403],
    ['a plain user', 'POST', '/v1/users/SUBJECT/erasure', 403],
    ['a plain user', 'PUT', '/v1/users/SUBJECT/roles/sys_admin', 403],
    ['a foreign session', 'GET', '/v1/users/SUBJECT/roles', 403],
    ['a foreign session', 'DELETE', '/v1/api-keys/KEY', 403],
    ['a foreign session', 'POST', '/v1/api-keys/KEY/rotate', 403],
    ['a foreign session', 'DELETE', '/v1/me/sessions/SESSION', 404],
    ['sys_auditor', 'GET', '/v1/audit/logs', 200],
    ['sys_auditor', 'GET', '/v1/archive', 200],
    ['sys_auditor', 'POST', '/v1/archive/runs', 403],
    ['sys_auditor', 'PUT', '/v1/policies/lockout.threshold', 403],
    ['sys_operator', 'POST', '/v1/backups/verifications', 202],
    ['sys_operator', 'POST', '/v1/backups/prune', 403],
    ['sys_operator', 'GET', '/v1/service-accounts', 403],
    ['security_admin', 'GET', '/v1/service-accounts', 200],
    ['security_admin', 'POST', '/v1/roles', 403],
    ['security_admin', 'POST', '/v1/users/SUBJECT/erasure', 403],
    ['sys_admin', 'POST', '/v1/roles', 400],
    ['sys_admin', 'POST', '/v1/restores', 400],
    ['a person’s key without scopes', 'GET', '/v1/me', 403],
    ['a person’s key without scopes', 'PATCH', '/v1/me', 403],
    ['a person’s key without scopes', 'GET', '/v1/chat/rooms', 403],
    ['a person’s key without scopes', 'GET', '/v1/permissions/mine', 200],
    ['a person’s key without scopes', 'GET', '/v1/users', 403],
    ['a person’s key without scopes', 'GET', '/v1/session', 403],
    ['a person’s key without scopes', 'POST', '/v1/me/mfa', 403],
    ['a person’s key without scopes', 'GET', '/v1/chat/socket', 403],
    ['a service key without scopes', 'GET', '/v1/permissions/mine', 200],
    ['a service key without scopes', 'GET', '/v1/me', 403],
    ['a service key without scopes', 'GET', '/v1/chat/rooms', 403],
    ['a service key without scopes', 'GET', '/v1/nowhere', 404],
  ] as const)('%s: %s %s → %i', async (name, method, path, status) => {
    const [{ key } = { key: '' }] = await ask<{ key: string }>(
      'select id as key from akashi_auth.api_keys where user_id = $1',
      [idOf('sys_admin')],
    )
    const [{ id } = { id: '' }] = await ask<{ id: string }>(
      'select id from akashi_auth.user_sessions where user_id = $1',
      [subject()],
    )
    const url = path.replace('SUBJECT', subject()).replace('KEY', key).replace('SESSION', id)
    expect(await send(await again(name), method, url)).toMatchObject({ status })
  })

  it('asks who is not on this machine to sign in for the status', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.1' }
    expect((await fetch(`${origin()}/v1/status`, { headers })).status).toBe(401)
  })
})
