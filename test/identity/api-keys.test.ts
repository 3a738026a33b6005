import type { IssuedKey } from '@akashi/contract'
import { describe, expect, it } from 'vitest'
import { makeApiKey } from '../../src/identity/api-keys/format.ts'
import {
  type ApiKeyRequest,
  createApiKey,
  createServiceAccount,
  currentPermissions,
  flushApiKeyUses,
  grantServiceRole,
  hasPermission,
  listApiKeys,
  listServiceAccounts,
  revokeApiKey,
  revokeServiceRole,
  rotateApiKey,
  setServiceAccountActive,
  verifyApiKey,
} from '../../src/identity/index.ts'
import { type Actor, person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makeRole, makeUser } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const owner = database.open('owner')

const HOUR_MS = 3_600_000
const forbidden = { code: 'forbidden' }

const ask = async <R = Record<string, unknown>>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows
const permissionsOf = (actor: Actor) => app.transaction(actor, currentPermissions)

async function actorOf(issued: IssuedKey): Promise<Actor> {
  const caller = await verifyApiKey(app, issued.key)
  if (caller === null) throw new Error('the key is not recognised')
  return caller.actor
}

let accounts = 0
async function makeService(tier: 'system' | 'service', ...roles: string[]): Promise<string> {
  accounts += 1
  const name = `service-${accounts}`
  await createServiceAccount(owner, tester, { name, tier })
  for (const role of roles) await grantServiceRole(owner, tester, { account: name, role })
  return name
}

describe('a key of a user', () => {
  it('is shown once, kept as prefix and hash, and is its owner narrowed to its scopes', async () => {
    const user = await makeUser(database, 'sys_operator')
    const issued = await createApiKey(app, user, {
      name: 'reads events',
      scopes: ['events:read', 'jobs:write'],
    })
    const [stored] = await ask('select * from akashi_auth.api_keys where id = $1', [issued.id])
    expect(stored).toMatchObject({
      key_prefix: issued.prefix,
      service_name: 'user',
      tier: 'system',
      permissions: ['events:read', 'jobs:write'],
      user_id: user.userId,
      created_by: user.userId,
      is_active: true,
    })
    expect(JSON.stringify(stored)).not.toContain(issued.key)
    expect(await verifyApiKey(app, issued.key)).toMatchObject({
      keyId: issued.id,
      name: 'reads events',
      userId: user.userId,
      serviceAccountId: null,
      scopes: ['events:read', 'jobs:write'],
    })
    expect(await permissionsOf(await actorOf(issued))).toEqual(['events:read', 'jobs:write'])
  })

  it('leaves no secret in the trail', async () => {
    const user = await makeUser(database, 'sys_operator')
    const issued = await createApiKey(app, user, { name: 'recorded' })
    const [stored] = await ask<{ key_hash: string }>(
      'select key_hash from akashi_auth.api_keys where id = $1',
      [issued.id],
    )
    const rows = await ask<{ all: string }>(
      'select to_jsonb(a)::text as all from akashi_audit.audit_logs a where resource_id = $1 or record_id = $1',
      [issued.id],
    )
    expect(rows).toHaveLength(2)
    for (const { all } of rows) {
      expect(all).not.toContain(issued.key)
      expect(all).not.toContain(stored?.key_hash)
    }
  })

  it.each<[string, Partial<ApiKeyRequest>, string]>([
    ['a scope that its owner does not have', { scopes: ['users:delete'] }, 'forbidden'],
    ['all actions of a resource of which its owner has one', { scopes: ['events:admin'] }, 'forbidden'],
    ['a scope that is none', { scopes: ['nothing:read'] }, 'not_found'],
    ['a scope above its tier', { scopes: ['events:read'], tier: 'service' }, 'forbidden'],
    ['another owner', { owner: '00000000-0000-0000-0000-000000000001' }, 'forbidden'],
    ['a service account', { serviceAccount: 'any-service' }, 'forbidden'],
    ['an end in the past', { expiresAt: new Date(0) }, 'invalid_input'],
    ['an end beyond policy', { expiresAt: new Date(Date.now() + 400 * 24 * HOUR_MS) }, 'invalid_input'],
    ['no name', { name: '' }, 'invalid_input'],
  ])('is not made with %s', async (_, request, code) => {
    const user = await makeUser(database, 'sys_operator')
    await expect(createApiKey(app, user, { name: 'refused', ...request })).rejects.toMatchObject({ code })
  })

  it('is not made by nobody, nor by another key without the scope for it', async () => {
    await expect(createApiKey(app, tester, { name: 'refused' })).rejects.toMatchObject({
      code: 'invalid_input',
    })
    const user = await makeUser(database, 'security_admin')
    const plain = await actorOf(await createApiKey(app, user, { name: 'plain', scopes: ['events:read'] }))
    await expect(createApiKey(app, plain, { name: 'child' })).rejects.toMatchObject(forbidden)
    const maker = await actorOf(
      await createApiKey(app, user, { name: 'maker', scopes: ['api_keys:write', 'events:read'] }),
    )
    await createApiKey(app, maker, { name: 'child', scopes: ['events:read'] })
    await expect(createApiKey(app, maker, { name: 'child', scopes: ['ledger:read'] })).rejects.toMatchObject(
      forbidden,
    )
  })

  it('loses what its owner loses, at the next use', async () => {
    const user = await makeUser(database, 'sys_operator', 'viewer')
    const issued = await createApiKey(app, user, { name: 'follows', scopes: ['events:read', 'rooms:read'] })
    const actor = await actorOf(issued)
    await ask(
      `delete from akashi_auth.user_roles where user_id = $1 and role_id = (select id from akashi_auth.roles where name = 'sys_operator')`,
      [user.userId],
    )
    expect(await permissionsOf(actor)).toEqual(['rooms:read'])
    await ask(`update akashi_auth.users set account_status = 'suspended' where id = $1`, [user.userId])
    expect(await permissionsOf(actor)).toEqual([])
    expect(await verifyApiKey(app, issued.key)).toBeNull()
  })

  it('does not speak for another user', async () => {
    const user = await makeUser(database, 'sys_operator')
    const admin = await makeUser(database, 'sys_admin')
    const { sessionId } = await actorOf(
      await createApiKey(app, user, { name: 'mine', scopes: ['events:read'] }),
    )
    const mixed = person({ userId: admin.userId, sessionId })
    expect(await app.transaction(mixed, (session) => hasPermission(session, 'events:read'))).toBe(false)
  })

  it('is one of a limited number, also when made in parallel', async () => {
    const user = await makeUser(database)
    await ask(`update akashi_auth.security_policies set value = '3' where key = 'api_key.max_per_owner'`)
    const made = await Promise.allSettled(
      Array.from({ length: 6 }, () => createApiKey(app, user, { name: 'one of many' })),
    )
    await ask(
      `update akashi_auth.security_policies set value = default_value where key = 'api_key.max_per_owner'`,
    )
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  })

  it('is seen by its owner and whoever may read keys, by nobody else', async () => {
    const user = await makeUser(database, 'viewer')
    const { id } = await createApiKey(app, user, { name: 'seen' })
    const seenBy = async (actor: Actor) => (await listApiKeys(app, actor)).some((key) => key.id === id)
    expect(await seenBy(user)).toBe(true)
    expect(await seenBy(await makeUser(database, 'sys_auditor'))).toBe(true)
    expect(await seenBy(await makeUser(database, 'viewer'))).toBe(false)
    expect(await seenBy(tester)).toBe(false)
  })
})

describe('a key of a service account', () => {
  it('acts without a user, within the roles of the account', async () => {
    const account = await makeService('system', 'sys_auditor')
    const admin = await makeUser(database, 'sys_admin')
    const issued = await createApiKey(app, admin, {
      name: 'exporter',
      serviceAccount: account,
      scopes: ['audit_logs:read'],
      tier: 'system',
    })
    const caller = await verifyApiKey(app, issued.key)
    expect(caller).toMatchObject({ userId: null, serviceName: account, scopes: ['audit_logs:read'] })
    const actor = await actorOf(issued)
    expect(actor).toMatchObject({ userId: undefined, sessionId: issued.id, subject: `service:${account}` })
    expect(await permissionsOf(actor)).toEqual(['audit_logs:read'])
    expect(await revokeServiceRole(app, admin, { account, role: 'sys_auditor' })).toBe(true)
    expect(await permissionsOf(actor)).toEqual([])
  })

  it('ends with the account, at once', async () => {
    const account = await makeService('service', 'viewer')
    const issued = await createApiKey(owner, tester, {
      name: 'ends',
      serviceAccount: account,
      scopes: ['rooms:read'],
    })
    const actor = await actorOf(issued)
    expect(await permissionsOf(actor)).toEqual(['rooms:read'])
    const admin = await makeUser(database, 'sys_admin')
    await setServiceAccountActive(app, admin, account, false)
    expect(await permissionsOf(actor)).toEqual([])
    expect(await verifyApiKey(app, issued.key)).toBeNull()
    expect(await listServiceAccounts(app, admin)).toContainEqual(
      expect.objectContaining({ name: account, isActive: false, roles: ['viewer'] }),
    )
    expect(await listServiceAccounts(app, await makeUser(database, 'viewer'))).toEqual([])
  })

  it('stays within the account’s tier and within what its maker has', async () => {
    const account = await makeService('service')
    const admin = await makeUser(database, 'sys_admin')
    await expect(grantServiceRole(app, admin, { account, role: 'sys_auditor' })).rejects.toMatchObject(
      forbidden,
    )
    const powerful = await makeService('system', 'sys_admin')
    const maker = await makeUser(
      database,
      await makeRole(database, 'system', 'api_keys:write', 'roles:write'),
    )
    await expect(
      createApiKey(app, maker, { name: 'beyond', serviceAccount: powerful, scopes: ['users:delete'] }),
    ).rejects.toMatchObject(forbidden)
    const issued = await createApiKey(owner, tester, {
      name: 'strong',
      serviceAccount: powerful,
      scopes: ['users:delete'],
      tier: 'system',
    })
    await expect(rotateApiKey(app, maker, issued.id)).rejects.toMatchObject(forbidden)
    const itself = await actorOf(
      await createApiKey(owner, tester, {
        name: 'grants',
        serviceAccount: powerful,
        scopes: ['roles:write', 'api_keys:write', 'users:read'],
        tier: 'system',
      }),
    )
    await expect(grantServiceRole(app, itself, { account: powerful, role: 'viewer' })).rejects.toMatchObject(
      forbidden,
    )
  })
})

describe('rotation', () => {
  it('leaves both keys working for a while, then one', async () => {
    const user = await makeUser(database, 'sys_operator')
    const first = await createApiKey(app, user, { name: 'rotates', scopes: ['events:read'] })
    const second = await rotateApiKey(app, user, first.id, { overlapSeconds: 3600 })
    expect(await permissionsOf(await actorOf(first))).toEqual(['events:read'])
    expect(await permissionsOf(await actorOf(second))).toEqual(['events:read'])
    const keys = await listApiKeys(app, user)
    const old = keys.find(({ id }) => id === first.id)
    const successor = keys.find(({ id }) => id === second.id)
    expect(successor).toMatchObject({ replaces: first.id, name: 'rotates', scopes: ['events:read'] })
    expect(Date.parse(old?.expiresAt ?? '')).toBeLessThan(Date.now() + 2 * HOUR_MS)
    await ask('update akashi_auth.api_keys set expires_at = now() where id = $1', [first.id])
    expect(await verifyApiKey(app, first.key)).toBeNull()
    expect(await verifyApiKey(app, second.key)).not.toBeNull()
  })

  it('can be done by the key itself, once, and by no other person', async () => {
    const user = await makeUser(database, 'viewer')
    const issued = await createApiKey(app, user, { name: 'itself' })
    const other = await makeUser(database, 'sys_admin')
    await expect(rotateApiKey(app, other, issued.id)).rejects.toMatchObject(forbidden)
    await rotateApiKey(app, await actorOf(issued), issued.id, { overlapSeconds: 60 })
    await expect(rotateApiKey(app, user, issued.id)).rejects.toMatchObject({ code: 'conflict' })
    await expect(rotateApiKey(app, user, '00000000-0000-0000-0000-000000000001')).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  it('overlaps no longer than policy says', async () => {
    const user = await makeUser(database)
    const { id } = await createApiKey(app, user, { name: 'long' })
    await expect(rotateApiKey(app, user, id, { overlapSeconds: 25 * 3600 })).rejects.toMatchObject({
      code: 'invalid_input',
    })
    const { id: successor, key } = await rotateApiKey(app, user, id, { overlapSeconds: 0 })
    expect(successor).not.toBe(id)
    expect(await verifyApiKey(app, key)).not.toBeNull()
  })
})

describe('verification', () => {
  it('writes nothing but, later and at once for many, when keys were used', async () => {
    const user = await makeUser(database)
    const issued = await Promise.all(
      Array.from({ length: 5 }, (_, at) => createApiKey(app, user, { name: `used-${at}` })),
    )
    for (const { key } of [...issued, ...issued]) expect(await verifyApiKey(app, key)).not.toBeNull()
    const unused = await listApiKeys(app, user)
    expect(unused.every(({ lastUsedAt }) => lastUsedAt === null)).toBe(true)
    const [audited] = await ask<{ rows: string }>('select count(*) as rows from akashi_audit.audit_logs')
    await flushApiKeyUses(app)
    const keys = await listApiKeys(app, user)
    expect(keys.every(({ lastUsedAt }) => lastUsedAt !== null)).toBe(true)
    expect(await ask('select count(*) as rows from akashi_audit.audit_logs')).toEqual([audited])
  })

  it('answers many callers at once, each with their own', async () => {
    const users = await Promise.all(Array.from({ length: 8 }, () => makeUser(database)))
    const keys = await Promise.all(
      users.map(async (user) => ({ user, issued: await createApiKey(app, user, { name: 'parallel' }) })),
    )
    const asked = Array.from({ length: 400 }, (_, at) => keys[at % keys.length])
    const callers = await Promise.all(asked.map((each) => verifyApiKey(app, each?.issued.key ?? '')))
    expect(callers.map((caller) => caller?.userId)).toEqual(asked.map((each) => each?.user.userId))
  })

  it('fails, and does not admit anybody, where the database cannot be reached', async () => {
    const broken = database.open('app', { url: 'postgresql://akashi_app@127.0.0.1:1/none' })
    await expect(verifyApiKey(broken, makeApiKey().key)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(verifyApiKey(broken, makeApiKey().key)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('records a misuse, once however often it is tried, and nothing of what is no key', async () => {
    const user = await makeUser(database)
    const issued = await createApiKey(app, user, { name: 'misused' })
    expect(await revokeApiKey(app, user, issued.id, 'left the company')).toBe(true)
    expect(await revokeApiKey(app, user, issued.id)).toBe(false)
    const unknown = makeApiKey()
    for (const key of [issued.key, unknown.key, issued.key, 'akashi_nonsense', `${unknown.key}x`]) {
      expect(await verifyApiKey(app, key, { clientIp: '203.0.113.4' })).toBeNull()
    }
    const events = await ask(
      `select resource_id, host(source_ip) as ip, user_id, event_details from akashi_security.security_events
       where event_type = 'api_key_misuse' and event_details ->> 'prefix' = any ($1) order by seq`,
      [[issued.prefix, unknown.prefix]],
    )
    const from = { ip: '203.0.113.4', user_id: null }
    expect(events).toEqual([
      { ...from, resource_id: issued.id, event_details: { reason: 'revoked', prefix: issued.prefix } },
      { ...from, resource_id: null, event_details: { reason: 'unknown', prefix: unknown.prefix } },
    ])
  })
})

describe('revocation', () => {
  it('is for the owner, the key itself, and whoever has the right; it holds at once and for good', async () => {
    const user = await makeUser(database, 'viewer')
    const other = await makeUser(database, 'viewer')
    const keys = await Promise.all(
      Array.from({ length: 3 }, () => createApiKey(app, user, { name: 'ends', scopes: ['rooms:read'] })),
    )
    const [byOwner, byItself, byAdmin] = keys
    if (byOwner === undefined || byItself === undefined || byAdmin === undefined) throw new Error('no keys')
    const actor = await actorOf(byItself)
    await expect(revokeApiKey(app, other, byOwner.id)).rejects.toMatchObject(forbidden)
    await expect(revokeApiKey(app, tester, byOwner.id)).rejects.toMatchObject(forbidden)
    await expect(revokeApiKey(app, actor, byOwner.id)).rejects.toMatchObject(forbidden)
    expect(await revokeApiKey(app, user, byOwner.id)).toBe(true)
    expect(await revokeApiKey(app, actor, byItself.id)).toBe(true)
    expect(await revokeApiKey(app, await makeUser(database, 'security_admin'), byAdmin.id)).toBe(true)
    expect(await permissionsOf(actor)).toEqual([])
    for (const { key } of keys) expect(await verifyApiKey(app, key)).toBeNull()
    await expect(rotateApiKey(app, user, byOwner.id)).rejects.toMatchObject({ code: 'conflict' })
  })
})
