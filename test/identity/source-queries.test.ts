import { beforeAll, describe, expect, it } from 'vitest'
import { makeApiKey, parseApiKey } from '../../src/identity/api-keys/format.ts'
import { createApiKey, createUser, verifyApiKey } from '../../src/identity/index.ts'
import { subjectIndexes } from '../../src/identity/users/personal.ts'
import { type Person, person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makeUser } from './people.ts'
import { testKeyring } from './support.ts'

/**
 * The query patterns of S3, as they stand there but for the names that the design changes: keycloak_sub is the
 * issuer and the blind index of the subject, status is account_status, audit_logs is in the schema audit.
 */
const database = testDatabase()
const keys = testKeyring()
const app = database.open('app')

let user: Person
let key = ''

const ask = async <R = Record<string, unknown>>(text: string, values: unknown[]) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows
const asUser = async <R = Record<string, unknown>>(text: string, values: unknown[]) =>
  (await app.transaction(user, (session) => session.query<R>(text, values))).rows

beforeAll(async () => {
  user = await makeUser(database, 'sys_operator', 'viewer')
  key = (await createApiKey(app, user, { name: 'exporter', scopes: ['events:read'], serviceName: 'export' }))
    .key
})

describe('users and what they may', () => {
  it('an active user by the subject of a token, which only its blind index finds', async () => {
    const id = await database.open('worker').transaction(tester, (session) =>
      createUser(session, keys.vault, {
        username: 'federated',
        email: 'federated@example.com',
        issuer: 'https://id.example',
        subject: 'sub-of-a-token',
      }),
    )
    const [index] = await subjectIndexes(keys.vault, 'sub-of-a-token')
    const query = `SELECT id, username, email_masked AS email, display_name, account_status AS status
       FROM akashi_auth.users
       WHERE issuer = 'https://id.example' AND subject_index = $1 AND account_status = 'active'`
    expect(await ask(query, [index])).toEqual([
      { id, username: 'federated', email: 'f***@example.com', display_name: null, status: 'active' },
    ])
    expect(await ask(`select from akashi_auth.users where subject = 'sub-of-a-token'`, [])).toEqual([])
  })

  it('the roles of a user', async () => {
    const roles = await asUser(
      `SELECT r.name, r.tier
       FROM akashi_auth.roles r
       INNER JOIN akashi_auth.user_roles ur ON ur.role_id = r.id
       WHERE ur.user_id = $1`,
      [user.userId],
    )
    expect(roles).toEqual(
      expect.arrayContaining([
        { name: 'sys_operator', tier: 'system' },
        { name: 'viewer', tier: 'service' },
      ]),
    )
    expect(roles).toHaveLength(2)
  })

  it('the permissions of a user, by their roles', async () => {
    const permissions = await asUser<{ resource: string; action: string }>(
      `SELECT DISTINCT p.resource, p.action
       FROM akashi_auth.permissions p
       INNER JOIN akashi_auth.role_permissions rp ON rp.permission_id = p.id
       INNER JOIN akashi_auth.user_roles ur ON ur.role_id = rp.role_id
       WHERE ur.user_id = $1`,
      [user.userId],
    )
    expect(permissions).toContainEqual({ resource: 'monitoring', action: 'write' })
    expect(permissions).toContainEqual({ resource: 'rooms', action: 'read' })
    expect(permissions).not.toContainEqual({ resource: 'users', action: 'write' })
    expect(new Set(permissions.map(({ resource, action }) => `${resource}:${action}`)).size).toBe(
      permissions.length,
    )
  })
})

describe('the audit log', () => {
  beforeAll(async () => {
    await app.transaction(person(user, { traceId: 'trace-of-the-source' }), async (session) => {
      for (const page of [1, 2, 3]) {
        await session.query(`select akashi_audit.record_action('report', 'export', 'reports', $1::text)`, [
          String(page),
        ])
      }
    })
  })

  it('what a user did, newest first, a page at a time', async () => {
    const page = (offset: number) =>
      asUser<{ resource_id: string }>(
        `SELECT id, action, resource, resource_id, detail, ip_address, created_at
         FROM akashi_audit.audit_logs
         WHERE user_id = $1
           AND created_at BETWEEN $2 AND $3
           AND resource = 'reports'
         ORDER BY created_at DESC
         LIMIT $4 OFFSET $5`,
        [user.userId, new Date(Date.now() - 60_000), new Date(Date.now() + 60_000), 2, offset],
      )
    expect((await page(0)).map(({ resource_id }) => resource_id)).toEqual(['3', '2'])
    expect((await page(2)).map(({ resource_id }) => resource_id)).toEqual(['1'])
  })

  it('what a trace did', async () => {
    const found = await asUser(
      `SELECT id, user_id, action, resource, detail, created_at
       FROM akashi_audit.audit_logs
       WHERE trace_id = $1`,
      ['trace-of-the-source'],
    )
    expect(found).toHaveLength(3)
    expect(found[0]).toMatchObject({ user_id: user.userId, action: 'export', resource: 'reports' })
  })
})

describe('API keys', () => {
  const byHash = `SELECT id, name, service_name, tier, permissions, expires_at
    FROM akashi_auth.api_keys
    WHERE key_hash = $1
      AND is_active = true
      AND (expires_at IS NULL OR expires_at > NOW())`

  it('a key by its hash', async () => {
    const [found] = await ask(byHash, [parseApiKey(key)?.hash])
    expect(found).toMatchObject({
      name: 'exporter',
      service_name: 'export',
      tier: 'system',
      permissions: ['events:read'],
    })
    expect(await ask(byHash, [makeApiKey().hash])).toEqual([])
    const caller = await verifyApiKey(app, key)
    expect(caller).toMatchObject({ keyId: found?.['id'], serviceName: 'export', tier: 'system' })
  })

  it('by the index of the hash, which no login role may read', async () => {
    const plan = await database.asSuperuser(async (session) => {
      await session.query('set enable_seqscan = off')
      return (await session.query<{ 'QUERY PLAN': string }>(`explain ${byHash.replace('$1', `'x'`)}`)).rows
    })
    expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain('api_keys_key_hash_key')
    await expect(asUser(byHash, ['x'])).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('when a key was last used, which the trail leaves out', async () => {
    const id = (await verifyApiKey(app, key))?.keyId
    const { rowCount } = await database.asSuperuser((session) =>
      session.query(
        `UPDATE akashi_auth.api_keys
         SET last_used_at = NOW()
         WHERE id = $1`,
        [id],
      ),
    )
    expect(rowCount).toBe(1)
    const trail = await ask(
      `select id from akashi_audit.audit_logs where table_name = 'api_keys' and operation = 'UPDATE'`,
      [],
    )
    expect(trail).toEqual([])
  })
})
