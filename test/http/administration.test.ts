/** What administrators do over HTTP about accounts and rooms of others, and what the record keeps of it. */
import { beforeAll, describe, expect, it } from 'vitest'
import { makeRole } from '../identity/people.ts'
import { type Browser, enrol, PASSWORD, testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const server = testServer(database)
const NEXT = 'umbrella stapler mould 4'
const reason = 'asked for at the desk'
let app: ReturnType<typeof server.app>
let admin: Browser
let adminId = ''

const ask = async <R>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows

const eventsAbout = async (userId: string) =>
  (
    await ask<{ event_type: string }>(
      'select event_type from akashi_security.security_events where resource_id = $1 order by created_at, seq',
      [userId],
    )
  ).map(({ event_type }) => event_type)

const accessesTo = async (resource: string, id: string) =>
  await ask<{ user_id: string }>(
    `select user_id from akashi_audit.audit_logs where event_type = 'data_access' and resource = $1
       and (resource_id = $2 or detail::text like '%' || $2 || '%')`,
    [resource, id],
  )

async function someone(name: string, role?: string): Promise<{ id: string; browser: Browser }> {
  const id = await server.user(name, role === undefined ? {} : { role })
  const browser = server.browser(app)
  expect((await browser.signIn(name)).statusCode).toBe(200)
  return { id, browser }
}

beforeAll(async () => {
  await ask(`update akashi_auth.security_policies set value = '[]' where key = 'mfa.required_tiers'`)
  app = server.app()
  const made = await someone('the-admin', 'sys_admin')
  admin = made.browser
  adminId = made.id
  return () => app.close()
})

describe('an account', () => {
  it('can sign in once it is created, with a password to be changed', async () => {
    const made = await admin.send('POST', '/v1/users', { username: 'sakura', email: 'sakura@example.com' })
    expect(made.statusCode).toBe(201)
    const { id, oneTimePassword } = made.json()
    const browser = server.browser(app)
    expect((await browser.signIn('sakura', oneTimePassword)).statusCode).toBe(200)
    expect((await browser.send('GET', '/v1/me/sessions')).json()).toMatchObject({ reason: 'password_change' })
    const change = { current: oneTimePassword, next: NEXT }
    expect((await browser.send('PUT', '/v1/me/password', change)).statusCode).toBe(204)
    expect((await browser.send('GET', '/v1/me')).json()).toMatchObject({ id, username: 'sakura' })
    const recorded = await ask(
      `select from akashi_audit.audit_logs where coalesce(new_values, detail)::text like '%' || $1 || '%'`,
      [oneTimePassword],
    )
    expect(recorded).toEqual([])
  })

  it('of a provider gets no password', async () => {
    const made = await admin.send('POST', '/v1/users', {
      issuer: 'https://id.example',
      subject: 'u-1',
      username: 'elsewhere',
      email: 'elsewhere@example.com',
    })
    expect(made.json()).toMatchObject({ oneTimePassword: null })
    const reset = await admin.send('POST', `/v1/users/${made.json().id}/password`, { reason })
    expect(reset.statusCode).toBe(400)
  })

  it('gets another password: sessions end, keys on request, and the old one is wrong', async () => {
    const { id, browser } = await someone('forgetful')
    const { key } = (await browser.send('POST', '/v1/api-keys', { name: 'k' })).json()
    const reset = await admin.send('POST', `/v1/users/${id}/password`, { reason, revokeApiKeys: true })
    expect(reset.statusCode).toBe(200)
    expect((await browser.send('GET', '/v1/me')).statusCode).toBe(401)
    const byKey = await admin.send('GET', '/v1/permissions/mine', undefined, {
      authorization: `Bearer ${key}`,
    })
    expect(byKey.statusCode).toBe(401)
    expect((await browser.signIn('forgetful')).statusCode).toBe(401)
    expect((await browser.signIn('forgetful', reset.json().oneTimePassword)).statusCode).toBe(200)
    expect(await eventsAbout(id)).toContain('password_changed')
  })

  it('loses its second factor to an administrator, with the recovery codes', async () => {
    const { id, browser } = await someone('phoneless')
    const { codes } = await enrol(browser, server.clock.now())
    expect((await admin.send('DELETE', `/v1/users/${id}/mfa`)).statusCode).toBe(204)
    expect((await browser.signIn('phoneless')).json()).toMatchObject({ step: 'done' })
    expect((await browser.send('GET', '/v1/me/mfa')).json()).toEqual({ factors: [], recoveryCodesLeft: 0 })
    expect(codes.length).toBeGreaterThan(0)
    expect(await eventsAbout(id)).toContain('mfa_removed')
  })

  it('is taken over by nobody who lacks what it may do, and not by itself', async () => {
    const helper = await makeRole(database, 'system', 'users:admin', 'users:write', 'sessions:delete')
    const { browser } = await someone('helper', helper)
    for (const [method, path, body] of [
      ['POST', `/v1/users/${adminId}/password`, { reason }],
      ['DELETE', `/v1/users/${adminId}/mfa`, undefined],
      ['PATCH', `/v1/users/${adminId}`, { email: 'helper@example.com' }],
      ['PATCH', `/v1/users/${adminId}`, { status: 'suspended' }],
      ['DELETE', `/v1/users/${adminId}/sessions`, undefined],
    ] as const) {
      const refused = await browser.send(method, path, body)
      expect(refused.statusCode, path).toBe(403)
      expect(refused.json().detail).toContain('which the caller does not have')
    }
    expect((await admin.send('POST', `/v1/users/${adminId}/password`, { reason })).statusCode).toBe(403)
    expect((await admin.send('DELETE', `/v1/users/${adminId}/sessions`)).statusCode).toBe(403)
    expect((await admin.signIn('the-admin')).statusCode).toBe(200)
    // What everybody has keeps nobody from being helped.
    const { id } = await someone('helped')
    expect((await browser.send('POST', `/v1/users/${id}/password`, { reason })).statusCode).toBe(200)
  })

  it('needs a reason, and a recent confirmation', async () => {
    const { id } = await someone('reasoned')
    expect((await admin.send('POST', `/v1/users/${id}/password`, { reason: ' ' })).statusCode).toBe(400)
    expect((await admin.send('POST', `/v1/users/${id}/password`, {})).statusCode).toBe(400)
    await ask(
      `update akashi_auth.user_sessions set authenticated_at = now() - interval '1 hour' where user_id = $1`,
      [adminId],
    )
    for (const [method, path] of [
      ['POST', `/v1/users/${id}/password`],
      ['DELETE', `/v1/users/${id}/mfa`],
      ['DELETE', `/v1/users/${id}/sessions`],
    ] as const) {
      const refused = await admin.send(method, path, method === 'POST' ? { reason } : undefined)
      expect(refused.json(), path).toMatchObject({ reason: 'step_up' })
    }
    await admin.signIn('the-admin')
  })
})

describe('sessions of others', () => {
  it('are listed and ended, one or all, and reading them is recorded', async () => {
    const { id, browser } = await someone('busy')
    const second = server.browser(app)
    await second.signIn('busy')
    const { sessions } = (await admin.send('GET', `/v1/users/${id}/sessions`)).json()
    expect(sessions).toHaveLength(2)
    expect(await accessesTo('user_session', id)).toMatchObject([{ user_id: adminId }])
    const [newest] = sessions
    expect((await admin.send('DELETE', `/v1/users/${id}/sessions/${newest.id}`)).statusCode).toBe(204)
    expect((await second.send('GET', '/v1/me')).statusCode).toBe(401)
    expect((await browser.send('GET', '/v1/me')).statusCode).toBe(200)
    expect((await admin.send('DELETE', `/v1/users/${id}/sessions/${newest.id}`)).statusCode).toBe(404)
    expect((await admin.send('DELETE', `/v1/users/${id}/sessions`)).json()).toEqual({ ended: 1 })
    expect((await browser.send('GET', '/v1/me')).statusCode).toBe(401)
    expect(await eventsAbout(id)).toContain('session_revoked')
  })

  it('are no business of who may only read them', async () => {
    const reader = await makeRole(database, 'system', 'sessions:read')
    const { browser } = await someone('reader', reader)
    const { id } = await someone('watched')
    expect((await browser.send('GET', `/v1/users/${id}/sessions`)).statusCode).toBe(200)
    expect((await browser.send('DELETE', `/v1/users/${id}/sessions`)).statusCode).toBe(403)
  })

  it('leave a trace as keys and roles of others do, and one’s own do not', async () => {
    const { id, browser } = await someone('owner-of-keys')
    const made = (await browser.send('POST', '/v1/api-keys', { name: 'k' })).json()
    await browser.send('GET', '/v1/api-keys')
    await browser.send('GET', `/v1/users/${id}/roles`)
    await browser.send('GET', '/v1/me/sessions')
    expect(await accessesTo('api_key', made.id)).toEqual([])
    expect(await accessesTo('user_role', id)).toEqual([])
    await admin.send('GET', '/v1/api-keys')
    await admin.send('GET', `/v1/users/${id}/roles`)
    expect(await accessesTo('api_key', made.id)).toMatchObject([{ user_id: adminId }])
    expect(await accessesTo('user_role', id)).toMatchObject([{ user_id: adminId }])
  })
})

describe('sign-ins that are watched', () => {
  it('are those from a place where the person was not before', async () => {
    const id = await server.user('traveller')
    const from = async (address: string) =>
      expect((await server.browser(app, address).signIn('traveller')).statusCode).toBe(200)
    const count = async () =>
      (await eventsAbout(id)).filter((type) => type === 'sign_in_from_new_place').length
    await from('2001:db8:1:2::1')
    expect(await count()).toBe(0)
    // One network is one place.
    await from('2001:db8:1:2::99')
    expect(await count()).toBe(0)
    await from('2001:db8:1:3::1')
    await from('198.51.100.7')
    expect(await count()).toBe(2)
    await from('198.51.100.7')
    expect(await count()).toBe(2)
  })

  it('are more at once than policy expects, and end at its limit', async () => {
    await ask(`update akashi_auth.security_policies set value = '2' where key = 'session.watched_count'`)
    const id = await server.user('everywhere')
    for (let index = 0; index < 3; index += 1) await server.browser(app).signIn('everywhere')
    const seen = (await eventsAbout(id)).filter((type) => type === 'concurrent_sessions')
    expect(seen).toHaveLength(1)
  })
})

describe('a room', () => {
  it('gets another owner, member or not, where its own is gone', async () => {
    const { id: former, browser: owner } = await someone('former-owner')
    const { id: heir, browser } = await someone('heir')
    const room = (await owner.send('POST', '/v1/chat/rooms', { name: 'R', type: 'private' })).json().id
    const transfer = (by: Browser, userId: string) =>
      by.send('PUT', `/v1/chat/rooms/${room}/owner`, { userId, reason })
    expect((await transfer(owner, heir)).statusCode).toBe(403)
    await admin.send('PATCH', `/v1/users/${former}`, { status: 'suspended' })
    expect((await transfer(admin, heir)).statusCode).toBe(204)
    const { members } = (await browser.send('GET', `/v1/chat/rooms/${room}/members`)).json()
    expect(members.map((each: { role: string; user: { id: string } }) => [each.user.id, each.role])).toEqual([
      [heir, 'owner'],
      [former, 'admin'],
    ])
    expect((await transfer(admin, former)).statusCode).toBe(404)
    // It is read by nobody who is not a member.
    expect((await admin.send('GET', `/v1/chat/rooms/${room}/messages`)).json()).toMatchObject({
      messages: [],
    })
    const recorded = await ask(
      `select from akashi_audit.audit_logs where event_type = 'room_transferred' and resource_id = $1 and user_id = $2`,
      [room, adminId],
    )
    expect(recorded).toHaveLength(1)
  })

  it('lets nobody back who is banned: not by joining, an old or a new invitation', async () => {
    const { id: pest, browser } = await someone('pest')
    const { browser: owner } = await someone('room-owner')
    const { browser: member } = await someone('room-member')
    const room = (await owner.send('POST', '/v1/chat/rooms', { name: 'R' })).json().id
    await member.send('POST', `/v1/chat/rooms/${room}/join`)
    const invited = await owner.send('POST', `/v1/chat/rooms/${room}/invitations`, { userId: pest })
    const ban = (by: Browser, method: 'PUT' | 'DELETE') =>
      by.send(method, `/v1/chat/rooms/${room}/bans/${pest}`)
    expect((await ban(member, 'PUT')).statusCode).toBe(403)
    // Before they were ever a member.
    expect((await ban(owner, 'PUT')).statusCode).toBe(204)
    expect((await browser.send('POST', `/v1/chat/rooms/${room}/join`)).statusCode).toBe(403)
    expect((await browser.send('POST', `/v1/chat/invitations/${invited.json().id}/accept`)).statusCode).toBe(
      409,
    )
    for (const by of [owner, member]) {
      const again = await by.send('POST', `/v1/chat/rooms/${room}/invitations`, { userId: pest })
      expect(again.statusCode).toBe(403)
    }
    expect((await ban(owner, 'DELETE')).statusCode).toBe(204)
    expect((await ban(owner, 'DELETE')).statusCode).toBe(404)
    const back = await owner.send('POST', `/v1/chat/rooms/${room}/invitations`, { userId: pest })
    expect((await browser.send('POST', `/v1/chat/invitations/${back.json().id}/accept`)).statusCode).toBe(200)
    // As a member, whose reading ends at once.
    expect((await ban(owner, 'PUT')).statusCode).toBe(204)
    expect((await browser.send('GET', `/v1/chat/rooms/${room}/members`)).json()).toEqual({ members: [] })
    expect(
      (
        await owner.send(
          'PUT',
          `/v1/chat/rooms/${room}/bans/${(await owner.send('GET', '/v1/me')).json().id}`,
        )
      ).statusCode,
    ).toBe(409)
  })
})

it('has the password of nobody but the one who signs in', async () => {
  const { browser } = await someone('curious')
  const { id } = await someone('private-person')
  for (const [method, path] of [
    ['POST', `/v1/users/${id}/password`],
    ['DELETE', `/v1/users/${id}/mfa`],
    ['GET', `/v1/users/${id}/sessions`],
    ['DELETE', `/v1/users/${id}/sessions`],
  ] as const) {
    expect((await browser.send(method, path, method === 'POST' ? { reason } : undefined)).statusCode).toBe(
      403,
    )
  }
  expect((await server.browser(app).signIn('private-person', PASSWORD)).statusCode).toBe(200)
})
