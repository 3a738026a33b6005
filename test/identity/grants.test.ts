import { describe, expect, it } from 'vitest'
import {
  createRole,
  createServiceAccount,
  deleteRole,
  grantPermission,
  grantRole,
  grantServiceRole,
  revokePermission,
  revokeRole,
  rolesOfUser,
  setPolicy,
} from '../../src/identity/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makeRole, makeUser } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const owner = database.open('owner')

const forbidden = { code: 'forbidden' }

describe('giving a role', () => {
  it('is for whoever has roles:write, and says who gave it', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const user = await makeUser(database, 'viewer')
    await grantRole(app, admin, { userId: user.userId, role: 'sys_auditor' })
    expect(await rolesOfUser(app, user, user.userId)).toMatchObject([
      { role: 'sys_auditor', tier: 'system', assignedBy: admin.userId, expiresAt: null, inForce: true },
      { role: 'viewer' },
    ])
    await expect(
      grantRole(app, user, { userId: admin.userId, role: 'viewer' }),
      'an auditor',
    ).rejects.toMatchObject(forbidden)
    await expect(
      grantRole(app, tester, { userId: user.userId, role: 'viewer' }),
      'nobody',
    ).rejects.toMatchObject(forbidden)
  })

  it('stands in the trail, as a change and as an action, and among the events', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const user = await makeUser(database)
    await grantRole(app, admin, { userId: user.userId, role: 'security_admin' })
    await revokeRole(app, admin, { userId: user.userId, role: 'security_admin' })
    const { rows: actions } = await database.asSuperuser((session) =>
      session.query(
        `select action, resource_id, user_id from akashi_audit.audit_logs
         where data_subject = $1 and event_type in ('role_granted', 'role_revoked') order by seq`,
        [user.userId],
      ),
    )
    expect(actions).toEqual([
      { action: 'grant', resource_id: 'security_admin', user_id: admin.userId },
      { action: 'revoke', resource_id: 'security_admin', user_id: admin.userId },
    ])
    const { rows: changes } = await database.asSuperuser((session) =>
      session.query(
        `select operation from akashi_audit.audit_logs where data_subject = $1 and table_name = 'user_roles' order by seq`,
        [user.userId],
      ),
    )
    expect(changes).toEqual([{ operation: 'INSERT' }, { operation: 'DELETE' }])
    const { rows: events } = await database.asSuperuser((session) =>
      session.query(
        `select event_type, severity, user_id, event_details ->> 'role' as role from akashi_security.security_events
         where resource_id = $1 order by seq`,
        [user.userId],
      ),
    )
    expect(events).toEqual([
      { event_type: 'role_granted', severity: 'high', user_id: admin.userId, role: 'security_admin' },
      { event_type: 'role_revoked', severity: 'low', user_id: admin.userId, role: 'security_admin' },
    ])
  })

  it('stays within the tier of whoever gives', async () => {
    const manager = await makeRole(database, 'business', 'roles:write', 'rooms:admin')
    const business = await makeUser(database, manager, 'viewer')
    const user = await makeUser(database)
    const empty = await makeRole(database, 'system')
    await expect(grantRole(app, business, { userId: user.userId, role: empty })).rejects.toMatchObject(
      forbidden,
    )
    await grantRole(app, business, { userId: user.userId, role: manager })
    await grantRole(app, business, { userId: user.userId, role: 'viewer' })
    expect((await rolesOfUser(app, user, user.userId)).map(({ role }) => role)).toEqual([manager, 'viewer'])
    const admin = await makeUser(database, 'sys_auditor')
    await expect(
      revokeRole(app, business, { userId: admin.userId, role: 'sys_auditor' }),
    ).rejects.toMatchObject(forbidden)
  })

  it('stays within what whoever gives has', async () => {
    const role = await makeRole(database, 'system', 'roles:write')
    const giver = await makeUser(database, role)
    const user = await makeUser(database)
    await expect(grantRole(app, giver, { userId: user.userId, role: 'sys_auditor' })).rejects.toMatchObject(
      forbidden,
    )
    await grantRole(app, giver, { userId: user.userId, role })
  })

  it('is never to oneself, not even of an end', async () => {
    const admin = await makeUser(database, 'sys_admin')
    await expect(grantRole(app, admin, { userId: admin.userId, role: 'viewer' })).rejects.toMatchObject(
      forbidden,
    )
  })

  it('may end, and can be given another end', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const user = await makeUser(database)
    const grant = { userId: user.userId, role: 'sys_auditor' }
    await expect(grantRole(app, admin, { ...grant, expiresAt: new Date(0) })).rejects.toMatchObject({
      code: 'invalid_input',
    })
    const first = await grantRole(app, admin, { ...grant, expiresAt: new Date(Date.now() + 60_000) })
    expect(await grantRole(app, admin, grant)).toBe(first)
    expect(await rolesOfUser(app, user, user.userId)).toMatchObject([{ expiresAt: null }])
  })

  it('ends no later than what whoever gives has', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const acting = await makeUser(database)
    const user = await makeUser(database)
    const friday = new Date(Date.now() + 86_400_000)
    await grantRole(app, admin, { userId: acting.userId, role: 'sys_admin', expiresAt: friday })
    const grant = { userId: user.userId, role: 'sys_admin' }
    await expect(grantRole(app, acting, grant), 'for good').rejects.toMatchObject(forbidden)
    const longer = new Date(friday.getTime() + 1_000)
    await expect(grantRole(app, acting, { ...grant, expiresAt: longer })).rejects.toMatchObject(forbidden)
    await grantRole(app, acting, { ...grant, expiresAt: friday })
    // They cannot help each other to a later end either.
    await expect(
      grantRole(app, user, { userId: acting.userId, role: 'sys_admin', expiresAt: longer }),
    ).rejects.toMatchObject(forbidden)
  })

  it('of somebody who has theirs for a while reaches nothing that has no end', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const acting = await makeUser(database)
    const friday = new Date(Date.now() + 86_400_000)
    await grantRole(app, admin, { userId: acting.userId, role: 'sys_admin', expiresAt: friday })
    const role = await makeRole(database, 'system')
    const permission = 'users:admin' as const
    await expect(grantPermission(app, acting, { role, permission })).rejects.toMatchObject(forbidden)
    await expect(setPolicy(app, acting, 'account.default_role', 'viewer')).resolves.toBeDefined()
    const service = await makeRole(database, 'service', 'rooms:read')
    await expect(setPolicy(app, acting, 'account.default_role', service)).rejects.toMatchObject(forbidden)
    await createServiceAccount(app, acting, { name: `service-${role}`, tier: 'system' })
    const account = { account: `service-${role}`, role: 'sys_auditor' }
    await expect(grantServiceRole(app, acting, account)).rejects.toMatchObject(forbidden)
    await grantServiceRole(app, acting, { ...account, expiresAt: friday })
    await grantPermission(app, admin, { role, permission })
  })

  it('names what is not there', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const user = await makeUser(database)
    await expect(grantRole(app, admin, { userId: user.userId, role: 'no_role' })).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(
      grantRole(app, admin, { userId: '00000000-0000-0000-0000-000000000001', role: 'viewer' }),
    ).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is open to whoever administers the database, who is recorded as that', async () => {
    const user = await makeUser(database)
    await grantRole(owner, tester, { userId: user.userId, role: 'sys_admin' })
    expect(await rolesOfUser(app, user, user.userId)).toMatchObject([{ role: 'sys_admin', assignedBy: null }])
    // The same login is judged by the user whom a signed context names.
    const viewer = await makeUser(database, 'viewer')
    await expect(
      grantRole(database.open('owner', {}), viewer, { userId: user.userId, role: 'viewer' }),
    ).rejects.toMatchObject(forbidden)
  })
})

describe('taking a role', () => {
  it('leaves the last administrator, also when two are taken at once', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ id: string }>('delete from akashi_auth.user_roles returning user_id as id'),
    )
    expect(rows.length).toBeGreaterThan(0)
    const [one, two] = [await makeUser(database, 'sys_admin'), await makeUser(database, 'sys_admin')]
    const outcomes = await Promise.allSettled([
      revokeRole(app, one, { userId: two.userId, role: 'sys_admin' }),
      revokeRole(app, two, { userId: one.userId, role: 'sys_admin' }),
    ])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await expect(
      revokeRole(owner, tester, {
        userId: outcomes[0]?.status === 'fulfilled' ? one.userId : two.userId,
        role: 'sys_admin',
      }),
    ).rejects.toMatchObject({ code: 'conflict' })
  })

  it('says whether there was anything to take', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const user = await makeUser(database, 'viewer')
    expect(await revokeRole(app, admin, { userId: user.userId, role: 'viewer' })).toBe(true)
    expect(await revokeRole(app, admin, { userId: user.userId, role: 'viewer' })).toBe(false)
  })
})

describe('roles', () => {
  it('hold permissions of their tier or below it, whoever writes', async () => {
    const role = await makeRole(database, 'service')
    const admin = await makeUser(database, 'sys_admin')
    await expect(grantPermission(app, admin, { role, permission: 'users:read' })).rejects.toMatchObject(
      forbidden,
    )
    await expect(grantPermission(owner, tester, { role, permission: 'users:read' })).rejects.toMatchObject(
      forbidden,
    )
    await expect(
      database.asSuperuser((session) =>
        session.query(
          `insert into akashi_auth.role_permissions (role_id, permission_id) select r.id, p.id from akashi_auth.roles r, akashi_auth.permissions p
           where r.name = $1 and p.resource = 'users'`,
          [role],
        ),
      ),
    ).rejects.toMatchObject(forbidden)
    await grantPermission(app, admin, { role, permission: 'rooms:read' })
    expect(await revokePermission(app, admin, { role, permission: 'rooms:read' })).toBe(true)
    expect(await revokePermission(app, admin, { role, permission: 'rooms:read' })).toBe(false)
  })

  it.each(['roles', 'permissions', 'service_accounts'])('of %s never change their tier', async (table) => {
    await database.asSuperuser((session) =>
      session.query(
        `insert into akashi_auth.service_accounts (name) values ('keeps-its-tier') on conflict do nothing`,
      ),
    )
    await expect(
      database.asSuperuser((session) =>
        session.query(
          `update akashi_auth.${table} set tier = case tier when 'system' then 'service' else 'system' end`,
        ),
      ),
    ).rejects.toMatchObject(forbidden)
  })

  it('are made and deleted by whoever has the right and the tier; built-in ones stay', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const operator = await makeUser(database, 'sys_operator')
    await expect(createRole(app, operator, { name: 'night_shift', tier: 'service' })).rejects.toMatchObject(
      forbidden,
    )
    await createRole(app, admin, { name: 'night_shift', tier: 'service', description: 'at night' })
    await expect(createRole(app, admin, { name: 'night_shift', tier: 'service' })).rejects.toMatchObject({
      code: 'already_exists',
    })
    await expect(deleteRole(app, operator, 'night_shift')).rejects.toMatchObject(forbidden)
    expect(await deleteRole(app, admin, 'night_shift')).toBe(true)
    expect(await deleteRole(app, admin, 'night_shift')).toBe(false)
    await expect(deleteRole(app, admin, 'viewer')).rejects.toMatchObject({ code: 'conflict' })
    await expect(
      revokePermission(app, admin, { role: 'sys_admin', permission: 'roles:admin' }),
    ).rejects.toMatchObject({ code: 'conflict' })
  })
})
