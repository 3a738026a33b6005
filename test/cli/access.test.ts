import type { ApiKey, Grant, Role, SecurityPolicy } from '@akashi/contract'
import { beforeAll, describe, expect, it } from 'vitest'
import { verifyApiKey } from '../../src/identity/index.ts'
import { makeUser } from '../identity/people.ts'
import { testDatabase } from '../support/index.ts'
import { akashi } from './world.ts'

const database = testDatabase()
const app = database.open('app')
let userId = ''
let username = ''

const world = () => ({ world: { environment: { DATABASE_URL: database.url('owner') } } })

/** What a person would see who made a mistake; USER stands for the user. */
function mistaken(argv: readonly string[]) {
  return akashi(
    argv.map((word) => (word === 'USER' ? username : word)),
    world(),
  )
}

async function run(...argv: string[]) {
  const outcome = await akashi([...argv, '--json'], {
    world: { environment: { DATABASE_URL: database.url('owner') } },
  })
  return { ...outcome, document: () => JSON.parse(outcome.stdout) }
}

beforeAll(async () => {
  userId = (await makeUser(database)).userId ?? ''
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ username: string }>('select username from akashi_auth.users where id = $1', [userId]),
  )
  username = rows[0]?.username ?? ''
})

describe('akashi roles', () => {
  it('lists roles and permissions', async () => {
    const listed = await run('roles')
    expect(listed.status, listed.stdout).toBe(0)
    const { roles } = listed.document()
    expect(roles.map(({ name }: Role) => name)).toContain('sys_auditor')
    expect((await run('roles', 'permissions')).document().permissions.length).toBeGreaterThan(21)
    const text = await akashi(['roles', 'list'], {
      world: { environment: { DATABASE_URL: database.url('owner') } },
    })
    expect(text.stdout).toMatch(/^role +tier/)
  })

  it('leaves in the trail which command it was, and whose account typed it', async () => {
    expect((await run('roles', 'grant', username, 'viewer')).status).toBe(0)
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select subject, api_endpoint, context_verified from akashi_audit.audit_logs where table_name = 'user_roles' order by seq desc limit 1`,
      ),
    )
    // Without the keyring it is what the login says of itself.
    expect(rows).toEqual([
      { subject: 'operator:tester', api_endpoint: 'akashi roles grant', context_verified: false },
    ])
    expect((await run('roles', 'revoke', username, 'viewer')).status).toBe(0)
  })

  it('gives and takes a role, by username or id', async () => {
    const until = '2999-01-01T00:00:00Z'
    expect((await run('roles', 'grant', username, 'sys_auditor', '--until', until)).status).toBe(0)
    const held: Grant[] = (await run('roles', 'of', userId)).document().roles
    expect(held).toMatchObject([
      { role: 'sys_auditor', inForce: true, expiresAt: '2999-01-01T00:00:00.000000Z' },
    ])
    expect((await run('roles', 'revoke', userId, 'sys_auditor')).document()).toMatchObject({ revoked: true })
    expect((await run('roles', 'revoke', username, 'sys_auditor')).document()).toMatchObject({
      revoked: false,
    })
  })

  it('makes, fills and deletes a role', async () => {
    expect((await run('roles', 'create', 'desk', '--tier', 'business')).status).toBe(0)
    expect((await run('roles', 'allow', 'desk', 'rooms:admin')).status).toBe(0)
    const { roles } = (await run('roles', 'list')).document()
    expect(roles).toContainEqual(expect.objectContaining({ name: 'desk', permissions: ['rooms:admin'] }))
    expect((await run('roles', 'deny', 'desk', 'rooms:admin')).status).toBe(0)
    expect((await run('roles', 'delete', 'desk')).document()).toEqual({ role: 'desk', deleted: true })
  })

  it.each([
    [['roles', 'grant', 'nobody-here', 'viewer'], /user not found: nobody-here/],
    [['roles', 'grant', 'USER', 'no_role'], /role not found: no_role/],
    [['roles', 'grant', 'USER', 'viewer', '--until', 'soon'], /soon is not a valid time/],
    [['roles', 'create', 'x_role', '--tier', 'top'], /top is not a tier/],
    [['roles', 'allow', 'viewer', 'rooms'], /rooms is not a permission/],
    [['roles', 'allow', 'viewer', 'users:read'], /cannot hold the system permission/],
    [['roles', 'delete', 'viewer'], /built in/],
  ])('refuses %j with one line and a hint', async (argv, message) => {
    const outcome = await mistaken(argv)
    expect(outcome.status).toBe(2)
    expect(outcome.stderr).toMatch(message)
    expect(outcome.stderr.trimEnd().split('\n')).toEqual([
      // Only the database knows the roles: whose change it refuses was said before.
      ...(argv.includes('no_role') ? [`user ${username} (${userId})`] : []),
      expect.stringMatching(/^akashi: /),
      expect.stringMatching(/^hint: /),
    ])
  })
})

describe('akashi apikeys', () => {
  it('makes a key of a service account, rotates and revokes it', async () => {
    expect(
      (await run('apikeys', 'add-service', 'exporter', '--tier', 'system', '--roles', 'sys_auditor')).status,
    ).toBe(0)
    const made = await run(
      'apikeys',
      'create',
      'nightly',
      '--service',
      'exporter',
      '--scopes',
      'audit_logs:read, events:read',
      '--tier',
      'system',
      '--days',
      '30',
    )
    expect(made.stderr).toContain('shown only once')
    const { id, key } = made.document()
    expect(await verifyApiKey(app, key)).toMatchObject({
      keyId: id,
      serviceName: 'exporter',
      scopes: ['audit_logs:read', 'events:read'],
    })
    const rotated = (await run('apikeys', 'rotate', id, '--overlap', '1')).document()
    expect(rotated.replaces).toBe(id)
    expect(await verifyApiKey(app, rotated.key)).not.toBeNull()
    expect((await run('apikeys', 'revoke', rotated.id, '--reason', 'a test')).document().revoked).toBe(true)
    expect(await verifyApiKey(app, rotated.key)).toBeNull()
    const { keys } = (await run('apikeys')).document()
    expect(keys.map((each: ApiKey) => [each.id, each.isActive])).toEqual([
      [rotated.id, false],
      [id, true],
    ])
    expect(JSON.stringify(keys)).not.toContain(key)
    expect((await run('apikeys', 'stop-service', 'exporter')).status).toBe(0)
    expect(await verifyApiKey(app, key)).toBeNull()
    expect((await run('apikeys', 'services')).document().accounts).toMatchObject([
      { name: 'exporter', isActive: false },
    ])
  })

  it('makes a key of a user, and prints nothing else on standard output', async () => {
    const outcome = await akashi(
      ['apikeys', 'create', 'mine', '--owner', username, '--environment', 'test'],
      {
        world: { environment: { DATABASE_URL: database.url('owner') } },
      },
    )
    expect(outcome.stdout).toMatch(/^akashi_test_[0-9A-Za-z]{59}\n$/)
    expect(await verifyApiKey(app, outcome.stdout.trim())).toMatchObject({ userId })
  })

  it.each([
    [['apikeys', 'create', 'ownerless'], /needs an owner/],
    [['apikeys', 'create', 'x', '--owner', 'USER', '--scopes', 'users:read'], /does not have users:read/],
    [['apikeys', 'create', 'x', '--owner', 'USER', '--days', 'many'], /--days must be a number, not many/],
    [['apikeys', 'create', 'x', '--owner', 'USER', '--days', '4000'], /within 365 days/],
    [['apikeys', 'rotate', '00000000-0000-0000-0000-000000000001'], /API key not found/],
  ])('refuses %j', async (argv, message) => {
    const outcome = await mistaken(argv)
    expect([outcome.status, outcome.stdout]).toEqual([2, ''])
    expect(outcome.stderr).toMatch(message)
  })
})

describe('akashi policies', () => {
  const current = async (key: string) =>
    (await run('policies')).document().policies.find((each: SecurityPolicy) => each.key === key)?.value

  it('lists, changes and resets them, each by its type', async () => {
    expect((await akashi(['policies', 'list'], world())).stdout).toMatch(/^policy +value +unit +default/)
    const changed = await run('policies', 'set', 'password.min_length', '15')
    expect(changed.status, changed.stderr).toBe(0)
    expect(changed.document()).toMatchObject({ key: 'password.min_length', value: 15, defaultValue: 12 })
    await run('policies', 'set', 'password.local_login', 'false')
    await run('policies', 'set', 'mfa.required_tiers', 'system,business')
    expect(await current('password.min_length')).toBe(15)
    expect(await current('password.local_login')).toBe(false)
    expect(await current('mfa.required_tiers')).toEqual(['system', 'business'])
    for (const key of ['password.min_length', 'password.local_login', 'mfa.required_tiers']) {
      expect((await run('policies', 'reset', key)).status).toBe(0)
    }
    expect(await current('password.min_length')).toBe(12)
    expect(await current('mfa.required_tiers')).toEqual(['system'])
  })

  it.each([
    [['policies', 'set', 'password.min_length', '4'], /value is not valid for the policy/],
    [['policies', 'set', 'password.min_length', 'long'], /value is not valid for the policy/],
    [['policies', 'set', 'password.local_login', 'maybe'], /value is not valid for the policy/],
    [['policies', 'set', 'mfa.required_tiers', 'top'], /value is not valid for the policy/],
    [['policies', 'set', 'password.colour', 'red'], /policy not found: password.colour/],
    [['policies', 'reset', 'password.colour'], /policy not found: password.colour/],
  ])('refuses %j with one line and a hint', async (argv, message) => {
    const outcome = await akashi(argv, world())
    expect(outcome.status).toBe(2)
    expect(outcome.stderr).toMatch(message)
  })
})
