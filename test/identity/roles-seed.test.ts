import { expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()

/** The permissions of the requirements, resource → actions. */
const seeded = {
  users: ['read', 'write', 'delete', 'admin'],
  auth_config: ['read', 'write', 'delete', 'admin'],
  audit_logs: ['read'],
  api_gateway: ['read', 'write', 'delete', 'admin'],
  vault_secrets: ['read', 'write', 'delete', 'admin'],
  monitoring: ['read', 'write', 'delete', 'admin'],
}
const names = Object.entries(seeded).flatMap(([resource, actions]) => actions.map((a) => `${resource}:${a}`))

async function holdings(role: string): Promise<string[]> {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ name: string }>(
      `select p.resource || ':' || p.action as name from akashi_auth.role_permissions rp
       join akashi_auth.roles r on r.id = rp.role_id join akashi_auth.permissions p on p.id = rp.permission_id
       where r.name = $1 order by 1`,
      [role],
    ),
  )
  return rows.map(({ name }) => name)
}

it('brings the 21 permissions of its source, each with a description', async () => {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ name: string }>(
      `select resource || ':' || action as name from akashi_auth.permissions
       where resource = any ($1) and description <> '' and tier = 'system'`,
      [Object.keys(seeded)],
    ),
  )
  expect(rows.map(({ name }) => name).sort()).toEqual([...names].sort())
  expect(names).toHaveLength(21)
})

it.each([
  ['sys_admin', names],
  [
    'sys_operator',
    [
      'users:read',
      'auth_config:read',
      'auth_config:write',
      'audit_logs:read',
      'api_gateway:read',
      'vault_secrets:read',
      'monitoring:read',
      'monitoring:write',
    ],
  ],
  [
    'sys_auditor',
    ['users:read', 'auth_config:read', 'audit_logs:read', 'api_gateway:read', 'monitoring:read'],
  ],
])('gives %s what its source says, of those', async (role, expected) => {
  const held = (await holdings(role)).filter((name) => names.includes(name))
  expect(held).toEqual([...expected].sort())
})

it('has three system roles of the source, and two of Akashi', async () => {
  const { rows } = await database.asSuperuser((session) =>
    session.query(
      'select name, tier, description is not null as described from akashi_auth.roles order by name',
    ),
  )
  expect(rows).toEqual([
    { name: 'security_admin', tier: 'system', described: true },
    { name: 'sys_admin', tier: 'system', described: true },
    { name: 'sys_auditor', tier: 'system', described: true },
    { name: 'sys_operator', tier: 'system', described: true },
    { name: 'viewer', tier: 'service', described: true },
  ])
})

it('lets sys_admin have every permission there is, and the auditor read only', async () => {
  const all = await database.asSuperuser((session) =>
    session.query<{ name: string }>(
      `select resource || ':' || action as name from akashi_auth.permissions order by 1`,
    ),
  )
  expect(await holdings('sys_admin')).toEqual(all.rows.map(({ name }) => name))
  for (const name of await holdings('sys_auditor')) expect(name).toMatch(/:read$/)
  expect(await holdings('viewer')).toEqual(['rooms:read', 'rooms:write'])
})
