/** What more than one person approves: over a real socket, and what the database decides when it is asked directly. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createApiKey, eraseUser } from '../../src/identity/index.ts'
import { operator, person, system } from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'
import { type Browser, testServer } from './server.ts'
import { testKeyring } from './support.ts'

const HOLD = 'akashi_chat.messages'
const TRAIL = 'akashi_audit.audit_logs'
/** Longer than the policy wants. */
const SETTLED = `now() - interval '30 days'`

const database = testDatabase()
const securityAdmin = database.open('security_admin')
const application = database.open('app')
const owner = database.open('owner')
const worker = database.open('worker')
const server = testServer(database)
const keys = testKeyring()
const people: Record<'hana' | 'ichiro' | 'jun' | 'newcomer', { id: string; browser: Browser }> = {} as never
let app: ReturnType<typeof server.app>

const ask = async <R>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows
const setPolicy = (key: string, value: string) =>
  ask('update akashi_auth.security_policies set value = $2::jsonb where key = $1', [key, value])

beforeAll(async () => {
  await setPolicy('mfa.required_tiers', '[]')
  app = server.app()
  for (const name of ['hana', 'ichiro', 'jun', 'newcomer'] as const) {
    const id = await server.user(name, { role: 'sys_admin' })
    const browser = server.browser(app)
    await browser.signIn(name)
    people[name] = { id, browser }
  }
  await ask(`update akashi_auth.user_roles set assigned_at = ${SETTLED} where user_id <> $1`, [
    people.newcomer.id,
  ])
  await ask(`update akashi_auth.role_permissions set granted_at = ${SETTLED}`)
  return () => app.close()
})

beforeEach(async () => {
  await ask(
    'update akashi_auth.approvals set withdrawn_at = now() where used_at is null and withdrawn_at is null',
  )
  await ask('update akashi_lifecycle.policies set legal_hold = true where table_name = $1', ['messages'])
  await setPolicy('approval.people', '2')
})

const release = () =>
  people.hana.browser.send('PUT', `/v1/archive/holds/${HOLD}`, { held: false, reason: 'the case is closed' })

async function requested(body: object, by = people.hana.browser): Promise<string> {
  const answer = await by.send('POST', '/v1/approvals', { reason: 'the case is closed', ...body })
  expect(answer.statusCode, answer.body).toBe(201)
  return answer.json().id
}

const confirm = (id: string, by: Browser) => by.send('POST', `/v1/approvals/${id}/confirm`)

const stateOf = async (id: string) =>
  (await people.jun.browser.send('GET', '/v1/approvals'))
    .json()
    .approvals.find((each: { id: string }) => each.id === id)

describe('a hold that ends', () => {
  it('waits for another administrator, whom the trail and the events name', async () => {
    const alone = await release()
    expect(alone.statusCode).toBe(409)
    expect(alone.json().hint).toContain('akashi approvals request release_hold akashi_chat.messages')
    const id = await requested({ action: 'release_hold', target: HOLD })
    expect((await release()).statusCode).toBe(409)
    expect(await stateOf(id)).toMatchObject({ state: 'waiting', people: 2, approvedBy: [people.hana.id] })
    expect((await confirm(id, people.hana.browser)).statusCode).toBe(409)
    expect((await confirm(id, people.ichiro.browser)).statusCode).toBe(204)
    expect(await stateOf(id)).toMatchObject({
      state: 'approved',
      approvedBy: [people.hana.id, people.ichiro.id],
    })
    expect((await release()).statusCode).toBe(200)
    expect(await stateOf(id)).toMatchObject({ state: 'used' })
    const trail = await ask<{ user_id: string }>(
      `select user_id from akashi_audit.audit_logs where table_name like 'approval%' and operation = 'INSERT'
         and (record_id = $1 or new_values ->> 'approval_id' = $1) order by created_at, seq`,
      [id],
    )
    expect(trail.map(({ user_id }) => user_id)).toEqual([people.hana.id, people.hana.id, people.ichiro.id])
    const events = await ask<{ event_type: string }>(
      'select event_type from akashi_security.security_events where resource_id = $1 order by created_at, seq',
      [id],
    )
    expect(events.map(({ event_type }) => event_type)).toEqual([
      'approval_requested',
      'approval_given',
      'approval_used',
    ])
  })

  it('is approved once: a hold that begins anew takes another approval', async () => {
    const id = await requested({ action: 'release_hold', target: HOLD })
    await confirm(id, people.ichiro.browser)
    expect((await release()).statusCode).toBe(200)
    await people.hana.browser.send('PUT', `/v1/archive/holds/${HOLD}`, { held: true, reason: 'another case' })
    expect((await release()).statusCode).toBe(409)
  })

  it('is released once by two who release it at once', async () => {
    await ask(`update akashi_lifecycle.policies set legal_hold = true where table_name = 'security_events'`)
    const id = await requested({ action: 'release_hold', target: HOLD })
    await confirm(id, people.ichiro.browser)
    const both = await Promise.all([
      release(),
      people.hana.browser.send('PUT', '/v1/archive/holds/akashi_security.security_events', {
        held: false,
        reason: 'not approved',
      }),
    ])
    expect(both.map(({ statusCode }) => statusCode)).toEqual([200, 409])
    await ask(`update akashi_lifecycle.policies set legal_hold = false where table_name = 'security_events'`)
  })

  it('does not end by the database alone either', async () => {
    const held = `select akashi_lifecycle.hold('akashi_chat', 'messages', false, 'closed')`
    for (const [pool, actor] of [
      [securityAdmin, person({ userId: people.hana.id })],
      [worker, system('test')],
      [owner, operator({ account: 'root', command: 'akashi archive hold' })],
    ] as const) {
      await expect(pool.transaction(actor, (session) => session.query(held))).rejects.toMatchObject({
        code: 'conflict',
      })
    }
  })
})

describe('who counts', () => {
  it('is a person in a session: a key, a token and an operator only ask', async () => {
    const hana = person({ userId: people.hana.id })
    const { key } = await createApiKey(application, hana, {
      name: 'k',
      scopes: ['approvals:write', 'approvals:read', 'lifecycle:admin'],
    })
    const byKey = server.browser(app)
    const sent = { authorization: `Bearer ${key}` }
    const made = await byKey.send(
      'POST',
      '/v1/approvals',
      { action: 'release_hold', target: HOLD, reason: 'by a key' },
      sent,
    )
    const { id } = made.json()
    expect(await stateOf(id)).toMatchObject({ approving: 0, approvedBy: [] })
    expect((await byKey.send('POST', `/v1/approvals/${id}/confirm`, undefined, sent)).statusCode).toBe(403)
    await expect(
      application.transaction(hana, (session) =>
        session.query('select akashi_auth.confirm_approval($1)', [id]),
      ),
    ).rejects.toMatchObject({ code: 'forbidden' })
    // Two people, as for everybody.
    await confirm(id, people.hana.browser)
    expect((await release()).statusCode).toBe(409)
    await confirm(id, people.jun.browser)
    expect((await release()).statusCode).toBe(200)
  })

  it('has the permission of the action as well', async () => {
    const id = await requested({ action: 'release_hold', target: HOLD })
    const other = await server.user('another', { role: 'security_admin' })
    await ask(`update akashi_auth.user_roles set assigned_at = ${SETTLED} where user_id = $1`, [other])
    const browser = server.browser(app)
    await browser.signIn('another')
    expect((await confirm(id, browser)).statusCode).toBe(403)
    expect((await browser.send('DELETE', `/v1/approvals/${id}`)).statusCode).toBe(403)
    expect(
      (await browser.send('POST', '/v1/approvals', { action: 'prune_backups', reason: 'r' })).statusCode,
    ).toBe(403)
  })

  it('is nobody whom the one who asks has just made, promoted or given a password', async () => {
    const id = await requested({ action: 'release_hold', target: HOLD })
    const refused = await confirm(id, people.newcomer.browser)
    expect(refused.statusCode).toBe(403)
    expect(refused.json().hint).toContain('72 hours')
    // The permission is old; the credentials are not their own.
    await ask('update akashi_auth.users set credentials_replaced_at = now() where id = $1', [
      people.ichiro.id,
    ])
    expect((await confirm(id, people.ichiro.browser)).statusCode).toBe(403)
    await ask('update akashi_auth.users set credentials_replaced_at = null where id = $1', [people.ichiro.id])
    // The person is old; the permission is not.
    await ask(
      `update akashi_auth.role_permissions set granted_at = now() where permission_id in
         (select id from akashi_auth.permissions where resource = 'lifecycle')`,
    )
    expect((await confirm(id, people.ichiro.browser)).statusCode).toBe(403)
    await ask(`update akashi_auth.role_permissions set granted_at = ${SETTLED}`)
    expect((await confirm(id, people.ichiro.browser)).statusCode).toBe(204)
  })

  it('is counted when it is done: not who has lost the permission since', async () => {
    const id = await requested({ action: 'release_hold', target: HOLD })
    await confirm(id, people.jun.browser)
    await ask(`update akashi_auth.users set account_status = 'suspended' where id = $1`, [people.jun.id])
    expect((await release()).statusCode).toBe(409)
    await ask(`update akashi_auth.users set account_status = 'active' where id = $1`, [people.jun.id])
    expect((await release()).statusCode).toBe(200)
    await people.jun.browser.signIn('jun')
  })

  it('is three where policy says so', async () => {
    await setPolicy('approval.people', '3')
    const id = await requested({ action: 'release_hold', target: HOLD })
    await confirm(id, people.ichiro.browser)
    expect((await release()).statusCode).toBe(409)
    await confirm(id, people.jun.browser)
    expect((await release()).statusCode).toBe(200)
  })
})

describe('an approval', () => {
  it('ends with its time, and when it is withdrawn or refused', async () => {
    const late = await requested({ action: 'release_hold', target: HOLD })
    await confirm(late, people.ichiro.browser)
    await ask('update akashi_auth.approvals set expires_at = now() where id = $1', [late])
    expect(await stateOf(late)).toMatchObject({ state: 'expired' })
    expect((await release()).statusCode).toBe(409)
    const refused = await requested({ action: 'release_hold', target: HOLD })
    expect((await people.jun.browser.send('DELETE', `/v1/approvals/${refused}`)).statusCode).toBe(204)
    expect((await confirm(refused, people.ichiro.browser)).statusCode).toBe(409)
    expect((await release()).statusCode).toBe(409)
  })

  it('is for what it names', async () => {
    const other = await requested({ action: 'release_hold', target: 'akashi_chat.rooms' })
    await confirm(other, people.ichiro.browser)
    const retire = await requested({ action: 'retire_rows', target: HOLD })
    await confirm(retire, people.ichiro.browser)
    expect((await release()).statusCode).toBe(409)
  })

  it.each([
    [{ action: 'release_hold', target: HOLD, reason: ' ' }],
    [{ action: 'release_hold', target: HOLD }],
    [{ action: 'release_hold', reason: 'r' }],
    [{ action: 'release_hold', target: '', reason: 'r' }],
    [{ action: 'prune_backups', target: HOLD, reason: 'r' }],
    [{ action: 'shorten_retention', target: TRAIL, reason: 'r' }],
    [{ action: 'shorten_retention', target: TRAIL, total: 'soon', reason: 'r' }],
    [{ action: 'erase_person', target: 'hana', reason: 'r' }],
    [{ action: 'everything', reason: 'r' }],
  ])('is not asked for by %j', async (body) => {
    expect((await people.hana.browser.send('POST', '/v1/approvals', body)).statusCode).toBe(400)
  })
})

describe('what else is approved', () => {
  it('is a shorter retention, down to the one that was approved', async () => {
    const shorten = (total: string) =>
      people.hana.browser.send('PATCH', `/v1/archive/policies/${TRAIL}`, { total, reason: 'it is enough' })
    expect((await shorten('1000 days')).statusCode).toBe(409)
    const id = await requested({
      action: 'shorten_retention',
      target: TRAIL,
      total: '1000 days',
      atExpiry: 'archive',
    })
    await confirm(id, people.ichiro.browser)
    expect((await shorten('999 days')).statusCode).toBe(409)
    expect((await shorten('1001 days')).statusCode).toBe(200)
    expect((await shorten('1000 days')).statusCode).toBe(409)
    // Longer is nobody else's business.
    expect((await shorten('4000 days')).statusCode).toBe(200)
  })

  it('is an erasure', async () => {
    await ask('update akashi_lifecycle.policies set legal_hold = false')
    const gone = await server.user('gone')
    const erase = () =>
      eraseUser({ database: application, keyring: keys.keyring }, person({ userId: people.hana.id }), gone, {
        confirm: 'gone',
        reason: 'asked to',
      })
    await expect(erase()).rejects.toMatchObject({ code: 'conflict' })
    const id = await requested({ action: 'erase_person', target: gone })
    await confirm(id, people.ichiro.browser)
    await expect(erase()).resolves.toMatchObject({ userId: gone })
  })

  it('is what deletes archived rows, which waits and says so', async () => {
    await ask('update akashi_lifecycle.policies set legal_hold = false')
    const retirable = () =>
      ask(
        `select akashi_lifecycle.assert_retirable('akashi_security', 'security_events', now() - interval '90 years')`,
      )
    await expect(retirable()).rejects.toMatchObject({ code: 'conflict' })
    const [kept] = await ask<{ kept: string }>(
      `select akashi_lifecycle.kept_by(p) as kept from akashi_lifecycle.policies p where table_name = 'security_events'`,
    )
    expect(kept?.kept).toBe('2 people have to approve it')
    const id = await requested({ action: 'retire_rows', target: 'akashi_security.security_events' })
    await confirm(id, people.ichiro.browser)
    await retirable()
    // It goes on until the approval expires.
    await retirable()
    expect(await stateOf(id)).toMatchObject({ state: 'approved' })
  })

  it('is the deletion of backups, of which a run deletes none meanwhile', async () => {
    const prune = () => people.hana.browser.send('POST', '/v1/backups/prune')
    expect((await prune()).statusCode).toBe(409)
    const id = await requested({ action: 'prune_backups' })
    await confirm(id, people.ichiro.browser)
    expect((await prune()).statusCode).toBe(202)
  })

  it('is the end of the hold of backups, and a shorter retention of them', async () => {
    await setPolicy('approval.people', '1')
    await ask(`update akashi_lifecycle.settings set value = 'true' where key = 'backup.hold'`)
    await setPolicy('approval.people', '2')
    const change = (key: string, value: string) =>
      ask('update akashi_lifecycle.settings set value = $2::jsonb where key = $1', [key, value])
    await expect(change('backup.hold', 'false')).rejects.toMatchObject({ code: 'conflict' })
    await expect(change('backup.retention_days', '1')).rejects.toMatchObject({ code: 'conflict' })
    const id = await requested({ action: 'release_hold', target: 'backup.hold' })
    await confirm(id, people.ichiro.browser)
    await change('backup.hold', 'false')
    const shorter = await requested({
      action: 'shorten_retention',
      target: 'backup.retention_days',
      total: '7 days',
    })
    await confirm(shorter, people.ichiro.browser)
    await expect(change('backup.retention_days', '6')).rejects.toMatchObject({ code: 'conflict' })
    await change('backup.retention_days', '7')
  })

  it('is fewer people from now on, or ones who are new', async () => {
    for (const [key, value] of [
      ['approval.people', 1],
      ['approval.settling_hours', 0],
    ] as const) {
      const lower = () => people.hana.browser.send('PUT', `/v1/policies/${key}`, { value })
      expect((await lower()).statusCode).toBe(409)
      expect((await people.hana.browser.send('DELETE', '/v1/policies/approval.people')).statusCode).toBe(409)
      const id = await requested({ action: 'lower_approval' })
      expect((await lower()).statusCode).toBe(409)
      await confirm(id, people.ichiro.browser)
      expect((await lower()).statusCode).toBe(200)
      await setPolicy('approval.people', '2')
      await setPolicy('approval.settling_hours', '72')
    }
    expect(
      (await people.hana.browser.send('PUT', '/v1/policies/approval.people', { value: 3 })).statusCode,
    ).toBe(200)
  })
})
