import { afterAll, describe, expect, it } from 'vitest'
import { overSocket } from '../http/client.ts'
import { testDatabase } from '../support/index.ts'
import { type Browser, PASSWORD, testServer } from './server.ts'

const database = testDatabase()
const server = testServer(database)
const apps: ReturnType<typeof server.app>[] = []

function served(...options: Parameters<typeof server.app>) {
  const app = server.app(...options)
  apps.push(app)
  return app
}

afterAll(() => Promise.all(apps.map((app) => app.close())))

function ask<R>(text: string, values: unknown[] = []): Promise<R[]> {
  return database.asSuperuser(async (session) => (await session.query<R>(text, values)).rows)
}

async function status(browser: Browser): Promise<number> {
  return (await browser.send('GET', '/v1/session')).statusCode
}

const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148'

describe('one’s sessions', () => {
  it('are listed with device, address and time, without tokens', async () => {
    await server.user('lister')
    const app = served()
    const [desk, phone] = [server.browser(app), server.browser(app)]
    await desk.signIn('lister')
    await phone.send('POST', '/v1/session', { login: 'lister', password: PASSWORD }, { 'user-agent': IPHONE })
    const answer = await phone.send('GET', '/v1/me/sessions')
    const { sessions } = answer.json()
    expect(sessions).toHaveLength(2)
    expect(sessions.find((each: { current: boolean }) => each.current)).toMatchObject({
      deviceType: 'mobile',
      userAgent: IPHONE,
      ipAddress: '127.0.0.1',
      status: 'online',
      methods: ['pwd'],
      secondFactor: false,
    })
    for (const token of [...desk.cookies.values(), ...phone.cookies.values()]) {
      expect(answer.body).not.toContain(token)
    }
  })

  it('are revoked one by one, at every server', async () => {
    await server.user('revoker')
    const [one, two] = [served(), served()]
    const [here, there] = [server.browser(one), server.browser(two)]
    await here.signIn('revoker')
    await there.signIn('revoker')
    const { sessions } = (await here.send('GET', '/v1/me/sessions')).json()
    const other = sessions.find((each: { current: boolean }) => !each.current)
    expect((await here.send('DELETE', `/v1/me/sessions/${other.id}`)).statusCode).toBe(204)
    expect(await status(there)).toBe(401)
    expect(await status(here)).toBe(200)
    expect((await here.send('DELETE', `/v1/me/sessions/${other.id}`)).statusCode).toBe(404)
  })

  it('are revoked all but this one', async () => {
    await server.user('sweeper')
    const app = served()
    const [here, ...others] = [1, 2, 3].map(() => server.browser(app))
    if (here === undefined) throw new Error('there are three')
    for (const browser of [here, ...others]) await browser.signIn('sweeper')
    expect((await here.send('DELETE', '/v1/me/sessions')).json()).toEqual({ ended: 2 })
    expect(await Promise.all([here, ...others].map(status))).toEqual([200, 401, 401])
  })

  it('are nobody else’s to see or end', async () => {
    await server.user('owner-of-it')
    await server.user('stranger')
    const app = served()
    const [owner, stranger] = [server.browser(app), server.browser(app)]
    await owner.signIn('owner-of-it')
    await stranger.signIn('stranger')
    const { sessionId } = (await owner.send('GET', '/v1/session')).json()
    expect((await stranger.send('DELETE', `/v1/me/sessions/${sessionId}`)).statusCode).toBe(404)
    expect((await stranger.send('GET', '/v1/me/sessions')).body).not.toContain(sessionId)
    expect(await status(owner)).toBe(200)
  })

  it('are as many as policy allows: the oldest ends first', async () => {
    await server.user('collector')
    await ask(`update akashi_auth.security_policies set value = '2' where key = 'session.max_per_user'`)
    try {
      const app = served()
      const browsers = [1, 2, 3].map(() => server.browser(app))
      for (const browser of browsers) await browser.signIn('collector')
      expect(await Promise.all(browsers.map(status))).toEqual([401, 200, 200])
    } finally {
      await ask(`update akashi_auth.security_policies set value = '20' where key = 'session.max_per_user'`)
    }
  })
})

describe('a session', () => {
  it('ends by signing out, also for a copy of its cookie', async () => {
    await server.user('leaver')
    const app = served()
    const [browser, copy] = [server.browser(app), server.browser(app)]
    await browser.signIn('leaver')
    for (const [name, value] of browser.cookies) copy.cookies.set(name, value)
    const end = await browser.send('DELETE', '/v1/session')
    expect([end.statusCode, end.headers['clear-site-data']]).toEqual([204, '"cache"'])
    expect(browser.cookies.size).toBe(0)
    expect(await status(copy)).toBe(401)
  })

  it.each([
    ['absolute', `expires_at = now() - interval '1 second'`],
    ['idle', `last_activity = now() - interval '13 hours'`],
  ])('ends by its %s limit', async (kind, change) => {
    const id = await server.user(`ends-${kind}`)
    const browser = server.browser(served())
    await browser.signIn(`ends-${kind}`)
    await ask(`update akashi_auth.user_sessions set ${change} where user_id = $1`, [id])
    expect(await status(browser)).toBe(401)
  })

  it('writes its last activity once a minute at most', async () => {
    const id = await server.user('active')
    const browser = server.browser(served())
    await browser.signIn('active')
    const versions = () =>
      ask<{ xmin: string }>('select xmin::text from akashi_auth.user_sessions where user_id = $1', [id])
    const before = await versions()
    await status(browser)
    expect(await versions()).toEqual(before)
    await ask(
      `update akashi_auth.user_sessions set last_activity = now() - interval '2 minutes' where user_id = $1`,
      [id],
    )
    await Promise.all([status(browser), status(browser), status(browser)])
    const [row] = await ask<{ fresh: boolean }>(
      `select last_activity > now() - interval '1 minute' as fresh from akashi_auth.user_sessions where user_id = $1`,
      [id],
    )
    expect(row?.fresh).toBe(true)
  })

  it('never goes on under a token that somebody else chose (fixation)', async () => {
    await server.user('fixed')
    await server.user('fixer')
    const app = served()
    const [attacker, victim] = [server.browser(app), server.browser(app)]
    await attacker.signIn('fixer')
    const planted = attacker.cookies.get('__Host-akashi-session') ?? ''
    victim.cookies.set('__Host-akashi-session', planted)
    await victim.signIn('fixed')
    expect(victim.cookies.get('__Host-akashi-session')).not.toBe(planted)
    // Nor does the planted one live on beside it.
    expect(await status(attacker)).toBe(401)
    const made = 'A'.repeat(43)
    victim.cookies.set('__Host-akashi-session', made)
    await victim.signIn('fixed')
    expect(victim.cookies.get('__Host-akashi-session')).not.toBe(made)
  })

  it.each(['', 'x', 'A'.repeat(43), `${'A'.repeat(42)}=`, 'A'.repeat(5_000)])(
    'is not opened by %j',
    async (token) => {
      const browser = server.browser(served())
      browser.cookies.set('__Host-akashi-session', token)
      expect(await status(browser)).toBe(401)
    },
  )
})

describe('requests of other sites', () => {
  it.each([
    ['a form of another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['a sister host', { 'sec-fetch-site': 'same-site', origin: 'http://evil.localhost:4180' }],
    ['an old browser at another site', { origin: 'https://evil.example' }],
    ['another port of this machine', { origin: 'http://localhost:8080' }],
    ['a sandboxed frame', { origin: 'null' }],
  ])('are refused with a cookie and without: %s', async (_, headers) => {
    const name = 'forged'
    if ((await ask('select from akashi_auth.users where username = $1', [name])).length === 0)
      await server.user(name)
    const browser = server.browser(served())
    expect(
      (await browser.send('POST', '/v1/session', { login: name, password: PASSWORD }, headers)).statusCode,
    ).toBe(403)
    await browser.signIn(name)
    expect((await browser.send('DELETE', '/v1/session', undefined, headers)).statusCode).toBe(403)
    expect(await status(browser)).toBe(200)
  })

  it('are refused for want of the header where the browser says nothing', async () => {
    await server.user('silent')
    const app = served()
    const browser = server.browser(app)
    await browser.signIn('silent')
    const cookie = `__Host-akashi-session=${browser.cookies.get('__Host-akashi-session')}`
    const headers = { host: 'localhost:4180', cookie }
    const answer = await overSocket(app, { method: 'DELETE', url: '/v1/session', headers })
    expect(answer.statusCode).toBe(403)
    expect(await status(browser)).toBe(200)
  })

  it('cannot send a password as a form', async () => {
    await server.user('formed')
    const answer = await overSocket(served(), {
      method: 'POST',
      url: '/v1/session',
      headers: { host: 'localhost:4180', 'content-type': 'text/plain' },
      payload: JSON.stringify({ login: 'formed', password: PASSWORD }),
    })
    expect(answer.statusCode).toBe(400)
  })

  it('are told from those of our own pages', async () => {
    await server.user('honest')
    const browser = server.browser(served())
    const own = { origin: 'http://localhost:4180', 'sec-fetch-site': 'same-origin' }
    expect(
      (await browser.send('POST', '/v1/session', { login: 'honest', password: PASSWORD }, own)).statusCode,
    ).toBe(200)
    expect((await browser.send('DELETE', '/v1/session', undefined, own)).statusCode).toBe(204)
  })
})

describe('with a public URL', () => {
  const publicUrl = 'https://chat.example.com'
  const host = 'chat.example.com'

  it('other machines are served under its name alone, and its pages are ours', async () => {
    await server.user('public')
    const app = served({ publicUrl })
    const remote = server.browser(app, '198.51.100.40')
    const body = { login: 'public', password: PASSWORD }
    // No socket of this machine comes from elsewhere.
    const elsewhere = { remoteAddress: '198.51.100.40', headers: { host: 'localhost' } }
    expect(
      (await app.inject({ ...elsewhere, method: 'POST', url: '/v1/session', payload: body })).statusCode,
    ).toBe(403)
    expect((await remote.send('POST', '/v1/session', body, { host: 'evil.example' })).statusCode).toBe(403)
    expect(
      (await remote.send('POST', '/v1/session', body, { host, origin: 'https://evil.example' })).statusCode,
    ).toBe(403)
    expect((await remote.send('POST', '/v1/session', body, { host, origin: publicUrl })).statusCode).toBe(200)
    expect((await remote.send('GET', '/v1/me', undefined, { host })).json()).toMatchObject({
      username: 'public',
    })
  })
})

describe('oneself', () => {
  it('is seen and changed, within what is one’s own', async () => {
    const id = await server.user('profiled')
    const browser = server.browser(served())
    await browser.signIn('profiled')
    expect((await browser.send('GET', '/v1/me')).json()).toMatchObject({
      id,
      issuer: 'local',
      username: 'profiled',
      displayName: null,
      email: 'profiled@example.com',
    })
    expect((await browser.send('PATCH', '/v1/me', { displayName: '花子' })).statusCode).toBe(204)
    expect((await browser.send('GET', '/v1/me')).json()).toMatchObject({
      displayName: '花子',
      email: 'profiled@example.com',
    })
    for (const more of [
      { email: 'new@example.com' },
      { accountStatus: 'active' },
      { classification: 'public' },
      { tenantId: 'x' },
    ]) {
      expect((await browser.send('PATCH', '/v1/me', more)).statusCode).toBe(400)
    }
  })

  it('decides on consents, and every decision stays', async () => {
    await server.user('consenter')
    const browser = server.browser(served())
    await browser.signIn('consenter')
    const decide = (decision: string) =>
      browser.send('POST', '/v1/me/consents', {
        purpose: 'analytics',
        decision,
        documentVersion: '2026-01',
        regulation: 'appi',
      })
    expect((await decide('granted')).statusCode).toBe(204)
    expect((await decide('withdrawn')).statusCode).toBe(204)
    const { current, history } = (await browser.send('GET', '/v1/me/consents')).json()
    expect(current).toMatchObject([{ purpose: 'analytics', decision: 'withdrawn' }])
    expect(history.map((each: { decision: string }) => each.decision)).toEqual(['withdrawn', 'granted'])
  })

  it('reads what the trail has of one’s own actions, and of nobody else’s', async () => {
    const id = await server.user('reader-of-trail')
    await server.user('other-actor')
    const app = served()
    const [browser, other] = [server.browser(app), server.browser(app)]
    await other.signIn('other-actor')
    await other.send('PATCH', '/v1/me', { displayName: 'Other' })
    await browser.signIn('reader-of-trail')
    await browser.send('PATCH', '/v1/me', { displayName: 'Reader' })
    const { rows } = (await browser.send('GET', '/v1/me/audit')).json()
    expect(rows.length).toBeGreaterThan(0)
    expect(new Set(rows.map((row: { userId: string }) => row.userId))).toEqual(new Set([id]))
    expect((await browser.send('GET', '/v1/audit/logs')).statusCode).toBe(403)
  })
})
