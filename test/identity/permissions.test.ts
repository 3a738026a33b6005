import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hasPermission, requirePermission } from '../../src/identity/index.ts'
import { type Actor, person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makeRole, makeUser } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')

/** 8 KiB blocks that a decision may touch. Before 17, an index is walked anew for each role of an array. */
const MOST_BUFFERS = { since17: 300, before: 25_000 }

const may = (actor: Actor, permission: `${string}:read` | `${string}:write` | `${string}:admin`) =>
  app.transaction(actor, (session) => hasPermission(session, permission))
const asSuperuser = (text: string, values: unknown[] = []) =>
  database.asSuperuser((session) => session.query(text, values))

describe('akashi_auth.has_permission', () => {
  it('answers from the roles of the signed caller', async () => {
    const operator = await makeUser(database, 'sys_operator')
    expect(await may(operator, 'monitoring:write')).toBe(true)
    expect(await may(operator, 'users:write')).toBe(false)
    expect(await may(operator, 'nothing:read')).toBe(false)
    expect(await may(await makeUser(database), 'users:read')).toBe(false)
    expect(await may(tester, 'users:read')).toBe(false)
  })

  it('lets admin hold the other actions of its resource only', async () => {
    const role = await makeRole(database, 'system', 'events:admin')
    const user = await makeUser(database, role)
    expect(await may(user, 'events:write')).toBe(true)
    expect(await may(user, 'ledger:read')).toBe(false)
  })

  it('believes no context that is not signed', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const answer = await app.transaction(tester, async (session) => {
      await session.query(`select set_config('app.current_user_id', $1, true)`, [admin.userId])
      return await hasPermission(session, 'users:read')
    })
    expect(answer).toBe(false)
  })

  it.each(['inactive', 'suspended', 'deleted'])('refuses an account that is %s', async (state) => {
    const admin = await makeUser(database, 'sys_admin')
    expect(await may(admin, 'users:read')).toBe(true)
    await asSuperuser('update akashi_auth.users set account_status = $2 where id = $1', [admin.userId, state])
    expect(await may(admin, 'users:read')).toBe(false)
  })

  it('forgets a role when it expires', async () => {
    const admin = await makeUser(database, 'sys_admin')
    await asSuperuser(
      `update akashi_auth.user_roles set expires_at = now() + interval '1 hour' where user_id = $1`,
      [admin.userId],
    )
    expect(await may(admin, 'users:read')).toBe(true)
    await asSuperuser(
      `update akashi_auth.user_roles set expires_at = now() - interval '1 second' where user_id = $1`,
      [admin.userId],
    )
    expect(await may(admin, 'users:read')).toBe(false)
  })

  it('refuses a session that was revoked, has expired, is another’s or is none', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const other = await makeUser(database)
    expect(await may(person({ userId: admin.userId, sessionId: other.sessionId ?? '' }), 'users:read')).toBe(
      false,
    )
    expect(await may(person({ userId: admin.userId, sessionId: randomUUID() }), 'users:read')).toBe(false)
    await asSuperuser('update akashi_auth.user_sessions set revoked_at = now() where id = $1', [
      admin.sessionId,
    ])
    expect(await may(admin, 'users:read')).toBe(false)
    await asSuperuser(
      'update akashi_auth.user_sessions set revoked_at = null, expires_at = now() where id = $1',
      [admin.sessionId],
    )
    expect(await may(admin, 'users:read')).toBe(false)
  })

  it('answers about another for the worker, never for the application', async () => {
    const { userId } = await makeUser(database, 'sys_auditor')
    const ask = `select akashi_auth.user_has_permission($1, 'audit_logs:read') as allowed`
    const { rows } = await worker.transaction(tester, (session) => session.query(ask, [userId]))
    expect(rows).toEqual([{ allowed: true }])
    await expect(app.transaction(tester, (session) => session.query(ask, [userId]))).rejects.toMatchObject({
      code: 'forbidden',
    })
  })
})

describe('at 5,000 roles', () => {
  /** Buffers that a decision touches once its plan is there: what it costs, without a clock. */
  async function cost(actor: Actor, permission: string): Promise<{ allowed: boolean; buffers: number }> {
    return await database.asSuperuser(async (session) => {
      const decide = `select akashi_auth.user_has_permission('${actor.userId}', '${permission}') as allowed`
      const { rows: answer } = await session.query<{ allowed: boolean }>(decide)
      const { rows } = await session.query<{
        'QUERY PLAN': readonly { readonly Plan: Readonly<Record<string, number>> }[]
      }>(`explain (analyze, buffers, format json) ${decide}`)
      const node = rows[0]?.['QUERY PLAN'][0]?.Plan ?? {}
      const buffers = (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0)
      return { allowed: answer[0]?.allowed === true, buffers }
    })
  }

  it('a denial costs what a permission costs, whether few or all of them are held', async () => {
    await asSuperuser(`
      insert into akashi_auth.roles (name, tier) select half || '_' || n, 'system' from generate_series(1, 5000) n, unnest(array['held', 'free']) half;
      insert into akashi_auth.role_permissions (role_id, permission_id)
        select r.id, p.id from akashi_auth.roles r, akashi_auth.permissions p
        where (r.name like 'held\\_%' and p.resource || ':' || p.action = 'monitoring:read')
           or (r.name like 'free\\_%' and p.resource || ':' || p.action = 'jobs:read')`)
    const all = await makeUser(database)
    await asSuperuser(
      `insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name like 'held\\_%'`,
      [all.userId],
    )
    const one = await makeUser(database, 'held_4999')
    await asSuperuser(
      'analyze akashi_auth.roles, akashi_auth.role_permissions, akashi_auth.permissions, akashi_auth.user_roles',
    )
    const answers = {
      'all, allowed': await cost(all, 'monitoring:read'),
      'all, denied to nearly all': await cost(all, 'users:read'),
      'all, allowed to 5,000 others': await cost(all, 'jobs:read'),
      'one, allowed': await cost(one, 'monitoring:read'),
      'one, denied to nearly all': await cost(one, 'users:read'),
      'one, allowed to 5,000 others': await cost(one, 'jobs:read'),
    }
    expect(Object.values(answers).map(({ allowed }) => allowed)).toEqual([
      true,
      false,
      false,
      true,
      false,
      false,
    ])
    const { rows } = await asSuperuser(
      `select current_setting('server_version_num')::int >= 170000 as recent`,
    )
    const most = rows[0]?.['recent'] === true ? MOST_BUFFERS.since17 : MOST_BUFFERS.before
    for (const [which, { buffers }] of Object.entries(answers)) {
      expect(buffers, which).toBeLessThanOrEqual(most)
    }
  })
})

describe('a refusal', () => {
  it('stands in the trail and among the events', async () => {
    const actor = person(await makeUser(database, 'viewer'), {
      clientIp: '203.0.113.9',
      apiEndpoint: 'GET /v1/roles',
    })
    await expect(requirePermission(app, actor, 'roles:read')).rejects.toMatchObject({ code: 'forbidden' })
    const trail = await asSuperuser(
      `select action, resource_id, result, error_code, user_id, detail from akashi_audit.audit_logs where event_type = 'permission_denied'`,
    )
    expect(trail.rows).toEqual([
      {
        action: 'deny',
        resource_id: 'roles:read',
        result: 'FAILURE',
        error_code: 'forbidden',
        user_id: actor.userId,
        detail: { endpoint: 'GET /v1/roles' },
      },
    ])
    const events = await asSuperuser(
      `select user_id, resource_id, host(source_ip) as ip, result from akashi_security.security_events where event_type = 'permission_denied'`,
    )
    expect(events.rows).toEqual([
      { user_id: actor.userId, resource_id: 'roles:read', ip: '203.0.113.9', result: 'failure' },
    ])
  })

  it('tells nobody from somebody, and lets those in who may', async () => {
    await expect(requirePermission(app, tester, 'roles:read')).rejects.toMatchObject({
      code: 'unauthenticated',
    })
    await expect(
      requirePermission(app, await makeUser(database, 'sys_auditor'), 'roles:read'),
    ).resolves.toBeUndefined()
  })
})
