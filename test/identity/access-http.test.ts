import type { PermissionName } from '@akashi/contract'
import { afterAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/identity/index.ts'
import { overSocket } from '../http/client.ts'
import { testDatabase } from '../support/index.ts'
import { makeUser } from './people.ts'
import { testServer } from './server.ts'

const database = testDatabase()
const server = testServer(database)
const app = database.open('app')
const served: ReturnType<typeof server.app>[] = []

afterAll(() => Promise.all(served.map((each) => each.close())))

const ask = async <R = Record<string, unknown>>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows

/** A user with a role and a key that may all of these; answers what sends requests with the key. */
async function caller(role: string, ...scopes: PermissionName[]) {
  const user = await makeUser(database, role)
  const { key, id } = await createApiKey(app, user, { name: 'test', scopes })
  const http = served[0] ?? server.app()
  if (served.length === 0) served.push(http)
  const send = async (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, payload?: object) => {
    const answer = await overSocket(http, {
      method,
      url: `/v1${url}`,
      headers: { host: 'localhost', authorization: `Bearer ${key}` },
      ...(payload === undefined ? {} : { payload }),
    })
    return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() }
  }
  return { userId: user.userId, keyId: id, key, send }
}

const everything: PermissionName[] = [
  'roles:admin',
  'users:admin',
  'api_keys:admin',
  'auth_config:admin',
  'rooms:admin',
]

describe('/v1/roles', () => {
  it('lists roles and permissions for whoever may read them', async () => {
    const auditor = await caller('sys_auditor', 'roles:read')
    const { body } = await auditor.send('GET', '/roles')
    expect(body.roles.map(({ name }: { name: string }) => name)).toEqual([
      'security_admin',
      'sys_admin',
      'sys_auditor',
      'sys_operator',
      'viewer',
    ])
    expect((await auditor.send('GET', '/permissions')).body.permissions.length).toBeGreaterThan(21)
    const viewer = await caller('viewer', 'rooms:read')
    expect(await viewer.send('GET', '/roles')).toMatchObject({
      status: 403,
      body: { type: 'urn:akashi:error:forbidden', detail: 'the permission roles:read is required' },
    })
    expect((await viewer.send('GET', '/permissions')).status).toBe(403)
    expect((await viewer.send('GET', '/permissions/mine')).body).toEqual({ permissions: ['rooms:read'] })
  })

  it('gives and takes roles', async () => {
    const admin = await caller('sys_admin', ...everything)
    const user = await makeUser(database)
    const url = `/users/${user.userId}/roles`
    expect((await admin.send('PUT', `${url}/viewer`, { expiresAt: '2999-01-01T00:00:00Z' })).status).toBe(200)
    expect((await admin.send('GET', url)).body.roles).toMatchObject([
      { role: 'viewer', assignedBy: admin.userId, expiresAt: '2999-01-01T00:00:00.000000Z', inForce: true },
    ])
    expect((await admin.send('DELETE', `${url}/viewer`)).status).toBe(204)
    expect((await admin.send('DELETE', `${url}/viewer`)).status).toBe(404)
    expect((await admin.send('PUT', `${url}/no_role`)).status).toBe(404)
    expect((await admin.send('PUT', `${url}/viewer`, { expiresAt: 'soon' })).status).toBe(400)
    // The key holds less than sys_admin does, so that it cannot hand sys_admin on.
    expect((await admin.send('PUT', `${url}/sys_admin`)).status).toBe(403)
  })

  it('records what the database refused', async () => {
    const operator = await caller('sys_operator', 'monitoring:read')
    const user = await makeUser(database)
    expect((await operator.send('PUT', `/users/${user.userId}/roles/viewer`)).status).toBe(403)
    const events = await ask(
      `select user_id, session_id, resource_id, action_performed from akashi_security.security_events
       where event_type = 'permission_denied' and user_id = $1`,
      [operator.userId],
    )
    expect(events).toEqual([
      {
        user_id: operator.userId,
        session_id: operator.keyId,
        resource_id: 'roles:write',
        action_performed: 'PUT /v1/users/:userId/roles/:role',
      },
    ])
  })

  it('makes, fills, empties and deletes a role', async () => {
    const admin = await caller('sys_admin', ...everything)
    expect((await admin.send('POST', '/roles', { name: 'desk', tier: 'service' })).status).toBe(201)
    expect((await admin.send('POST', '/roles', { name: 'desk', tier: 'service' })).status).toBe(409)
    expect((await admin.send('POST', '/roles', { name: 'No', tier: 'service' })).status).toBe(400)
    expect((await admin.send('PUT', '/roles/desk/permissions/rooms:read')).status).toBe(204)
    expect((await admin.send('PUT', '/roles/desk/permissions/users:read')).status).toBe(403)
    expect((await admin.send('PUT', '/roles/desk/permissions/rooms:open')).status).toBe(400)
    expect((await admin.send('DELETE', '/roles/desk/permissions/rooms:read')).status).toBe(204)
    expect((await admin.send('DELETE', '/roles/desk')).status).toBe(204)
    expect((await admin.send('DELETE', '/roles/desk')).status).toBe(404)
    expect((await admin.send('DELETE', '/roles/viewer')).status).toBe(409)
  })

  it('asks somebody at a session for credentials that were shown lately', async () => {
    await server.user('stale')
    const http = server.app()
    served.push(http)
    const browser = server.browser(http)
    expect((await browser.signIn('stale')).statusCode).toBeLessThan(300)
    expect((await browser.send('POST', '/v1/api-keys', { name: 'mine' })).statusCode).toBe(201)
    const now = server.clock.now()
    server.clock.set(new Date(now.getTime() + 60 * 60_000))
    const late = await browser.send('POST', '/v1/api-keys', { name: 'mine' })
    expect(late.statusCode).toBe(403)
    expect(late.json()).toMatchObject({ reason: 'step_up' })
    server.clock.set(now)
  })
})

describe('/v1/api-keys', () => {
  it('makes a key, shows it once, rotates and revokes it', async () => {
    const admin = await caller('sys_admin', ...everything)
    const made = await admin.send('POST', '/api-keys', {
      name: 'deploy',
      scopes: ['users:read'],
      environment: 'test',
    })
    expect(made).toMatchObject({ status: 201, body: { key: expect.stringMatching(/^akashi_test_/) } })
    const listed = await admin.send('GET', '/api-keys')
    expect(listed.body.keys).toContainEqual(
      expect.objectContaining({
        id: made.body.id,
        prefix: made.body.prefix,
        scopes: ['users:read'],
        isActive: true,
      }),
    )
    expect(JSON.stringify(listed.body)).not.toContain(made.body.key)
    const rotated = await admin.send('POST', `/api-keys/${made.body.id}/rotate`, { overlapSeconds: 60 })
    expect(rotated).toMatchObject({ status: 201, body: { key: expect.stringMatching(/^akashi_/) } })
    const other = await caller('sys_admin', 'api_keys:admin')
    expect((await other.send('POST', `/api-keys/${made.body.id}/rotate`)).status).toBe(403)
    expect((await admin.send('DELETE', `/api-keys/${made.body.id}?reason=lost`)).status).toBe(204)
    expect((await admin.send('DELETE', `/api-keys/${made.body.id}`)).status).toBe(404)
    expect((await admin.send('POST', '/api-keys', { name: 'x', scopes: ['rooms'] })).status).toBe(400)
    expect((await admin.send('POST', '/api-keys', { name: 'x', scopes: ['keys:admin'] })).status).toBe(403)
    expect((await admin.send('POST', `/api-keys/${admin.keyId}/rotate`)).status).toBe(201)
  })

  it('refuses a key that was revoked, and one that is none', async () => {
    const viewer = await caller('viewer')
    expect((await viewer.send('GET', '/permissions/mine')).body).toEqual({ permissions: [] })
    expect((await viewer.send('DELETE', `/api-keys/${viewer.keyId}`)).status).toBe(204)
    expect((await viewer.send('GET', '/permissions/mine')).status).toBe(401)
  })
})

describe('/v1/service-accounts', () => {
  it('makes an account whose key acts without a user', async () => {
    const admin = await caller('sys_admin', ...everything)
    expect((await admin.send('POST', '/service-accounts', { name: 'robot', tier: 'service' })).status).toBe(
      201,
    )
    expect((await admin.send('PUT', '/service-accounts/robot/roles/viewer')).status).toBe(204)
    expect((await admin.send('PUT', '/service-accounts/robot/roles/sys_auditor')).status).toBe(403)
    const { body } = await admin.send('POST', '/api-keys', {
      name: 'robot key',
      serviceAccount: 'robot',
      scopes: ['rooms:read'],
      tier: 'service',
    })
    const mine = async () =>
      (
        await overSocket(served[0] ?? server.app(), {
          url: '/v1/permissions/mine',
          headers: { host: 'localhost', authorization: `Bearer ${body.key}` },
        })
      ).json()
    expect(await mine()).toEqual({ permissions: ['rooms:read'] })
    expect((await admin.send('GET', '/service-accounts')).body.accounts).toMatchObject([
      { name: 'robot', tier: 'service', isActive: true, roles: ['viewer'] },
    ])
    expect((await admin.send('PATCH', '/service-accounts/robot', { isActive: false })).status).toBe(204)
    expect(await mine()).toMatchObject({ status: 401 })
    expect((await admin.send('DELETE', '/service-accounts/robot/roles/viewer')).status).toBe(204)
    expect((await admin.send('DELETE', '/service-accounts/robot/roles/viewer')).status).toBe(404)
    const auditor = await caller('sys_auditor', 'roles:read')
    expect((await auditor.send('GET', '/service-accounts')).status).toBe(403)
  })
})

describe('/v1/policies', () => {
  it('lists and changes policies within their bounds, and records it', async () => {
    const admin = await caller('sys_admin', ...everything)
    const { body } = await admin.send('GET', '/policies')
    expect(body.policies.map(({ key }: { key: string }) => key)).toEqual(
      expect.arrayContaining([
        'lockout.threshold',
        'mfa.required_tiers',
        'password.min_length',
        'session.idle_minutes',
      ]),
    )
    const changed = await admin.send('PUT', '/policies/lockout.threshold', { value: 7 })
    expect(changed).toMatchObject({
      status: 200,
      body: { value: 7, defaultValue: 5, lastModifiedBy: admin.userId },
    })
    for (const value of [0, 1000, true, 'seven', 5.5]) {
      expect((await admin.send('PUT', '/policies/lockout.threshold', { value })).status).toBe(400)
    }
    expect((await admin.send('PUT', '/policies/mfa.required_tiers', { value: ['everybody'] })).status).toBe(
      400,
    )
    expect((await admin.send('DELETE', '/policies/lockout.threshold')).body).toMatchObject({ value: 5 })
    expect((await admin.send('PUT', '/policies/no.rule', { value: 1 })).status).toBe(404)
    const events = await ask(
      `select resource_id, event_details from akashi_security.security_events where event_type = 'policy_changed' order by seq`,
    )
    expect(events).toEqual([
      { resource_id: 'lockout.threshold', event_details: { old: 5, new: 7 } },
      { resource_id: 'lockout.threshold', event_details: { old: 7, new: 5 } },
    ])
  })

  it('are not changed by whoever may only read them', async () => {
    const auditor = await caller('sys_auditor', 'auth_config:read')
    expect((await auditor.send('GET', '/policies')).status).toBe(200)
    expect((await auditor.send('PUT', '/policies/lockout.threshold', { value: 7 })).status).toBe(403)
    const viewer = await caller('viewer')
    expect((await viewer.send('GET', '/policies')).status).toBe(403)
  })
})
