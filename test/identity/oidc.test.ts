import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { oidcIssuersSchema } from '../../src/foundation/config/oidc-issuers.ts'
import { createUser, type Issuer, openIssuer } from '../../src/identity/index.ts'
import { totpCode } from '../../src/identity/mfa/index.ts'
import { overSocket } from '../http/client.ts'
import { testDatabase, tester } from '../support/index.ts'
import {
  AUDIENCE,
  CLIENT,
  CLIENT_SECRET,
  SERVICE,
  startProvider,
  type TestProvider,
  throughProvider,
} from './provider.ts'
import { type Browser, enrol, testServer } from './server.ts'

const database = testDatabase()
const server = testServer(database)
const CALLBACK = 'http://localhost:4180/v1/oidc/callback'
const apps: ReturnType<typeof server.app>[] = []
let one: TestProvider
let two: TestProvider
let issuers: Issuer[]

beforeAll(async () => {
  one = await startProvider(CALLBACK)
  two = await startProvider(CALLBACK)
  issuers = settingsOf()
})

afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()))
  await one.stop()
  await two.stop()
})

function settingsOf(changes: object = {}): Issuer[] {
  const common = { clientId: CLIENT, clientSecret: CLIENT_SECRET, audiences: [AUDIENCE], ...changes }
  return oidcIssuersSchema
    .parse([
      { name: 'one', issuer: one.issuer, label: 'Provider One', ...common },
      { name: 'two', issuer: two.issuer, ...common },
    ])
    .map((settings) => openIssuer(settings, 0))
}

it('knows a person again after a slash was added to the setting', async () => {
  one.account = { sub: 'slashed', claims: { preferred_username: 'slashed' } }
  await signIn(server.browser(served()), one, 'one')
  const [first] = await ask<{ id: string }>("select id from akashi_auth.users where username = 'slashed'")
  const [settings] = settingsOf().map((issuer) => issuer.settings)
  if (settings === undefined) throw new Error('there is one')
  const slashed = openIssuer({ ...settings, issuer: `${one.issuer}/` }, 0)
  const browser = server.browser(served([slashed]))
  await signIn(browser, one, 'one')
  expect((await browser.send('GET', '/v1/session')).json().userId).toBe(first?.id)
})

function served(which: Issuer[] = issuers) {
  const app = server.app({ issuers: which })
  apps.push(app)
  return app
}

function ask<R>(text: string, values: unknown[] = []): Promise<R[]> {
  return database.asSuperuser(async (session) => (await session.query<R>(text, values)).rows)
}

/** From the button to the page after it; answers where the browser is sent in the end. */
async function signIn(browser: Browser, provider: TestProvider, name: string, query = ''): Promise<string> {
  const start = await browser.send('GET', `/v1/oidc/${name}/start${query}`)
  expect(start.statusCode, start.body).toBe(302)
  const back = await throughProvider(String(start.headers['location']), provider.issuer)
  expect(back.startsWith(CALLBACK)).toBe(true)
  const { search } = new URL(back)
  const end = await browser.send('GET', `/v1/oidc/callback${search}`)
  return String(end.headers['location'])
}

const verified = (name: string) => ({
  email: `${name}@id.example`,
  email_verified: true,
  preferred_username: name,
  name: `The ${name}`,
})

describe('signing in at a provider', () => {
  it('makes a user at the first time and finds them again', async () => {
    one.account = { sub: 'sub-1', claims: verified('ichiko') }
    const app = served()
    const browser = server.browser(app)
    expect(await signIn(browser, one, 'one', '?returnTo=/rooms/7')).toBe('/rooms/7')
    const me = (await browser.send('GET', '/v1/me')).json()
    expect(me).toMatchObject({
      issuer: one.issuer,
      username: 'ichiko',
      displayName: 'The ichiko',
      email: 'ichiko@id.example',
    })
    const again = server.browser(app)
    await signIn(again, one, 'one')
    expect((await again.send('GET', '/v1/me')).json()).toMatchObject({ id: me.id })
    expect((await again.send('GET', '/v1/me/sessions')).json().sessions).toHaveLength(2)
    expect(
      await ask('select distinct method, result, issuer from akashi_auth.login_attempts where user_id = $1', [
        me.id,
      ]),
    ).toEqual([{ method: 'oidc', result: 'success', issuer: one.issuer }])
    expect((await again.send('GET', '/v1/session')).json().permissions).toContain('rooms:read')
  })

  it('tells the same subject of two providers apart, and a local account of the same name and address', async () => {
    const local = await server.user('futago')
    one.account = { sub: 'same', claims: { ...verified('futago'), email: 'futago@example.com' } }
    two.account = { sub: 'same', claims: { ...verified('futago'), email: 'futago@example.com' } }
    const app = served()
    const [first, second] = [server.browser(app), server.browser(app)]
    await signIn(first, one, 'one')
    await signIn(second, two, 'two')
    const [a, b] = [(await first.send('GET', '/v1/me')).json(), (await second.send('GET', '/v1/me')).json()]
    expect(new Set([local, a.id, b.id]).size).toBe(3)
    expect([a.issuer, b.issuer]).toEqual([one.issuer, two.issuer])
    expect(new Set(['futago', a.username, b.username]).size).toBe(3)
  })

  it('believes no address that the provider has not checked', async () => {
    one.account = { sub: 'unchecked', claims: { ...verified('unchecked'), email_verified: false } }
    const browser = server.browser(served())
    await signIn(browser, one, 'one')
    expect((await browser.send('GET', '/v1/me')).json().email).toMatch(/@unverified\.invalid$/)
  })

  it('makes one user of two first sign-ins at once', async () => {
    one.account = { sub: 'twice', claims: verified('twice') }
    const app = served()
    const browsers = [1, 2, 3].map(() => server.browser(app))
    await Promise.all(browsers.map((browser) => signIn(browser, one, 'one')))
    const ids = await Promise.all(
      browsers.map(async (browser) => (await browser.send('GET', '/v1/me')).json().id),
    )
    expect(new Set(ids).size).toBe(1)
  })

  it('makes nobody where the settings do not allow it, and lets nobody in who is suspended', async () => {
    one.account = { sub: 'stranger', claims: verified('stranger') }
    const closed = served(settingsOf({ createUsers: false }))
    expect(await signIn(server.browser(closed), one, 'one')).toBe('/?sign-in=forbidden')
    const open = served()
    await signIn(server.browser(open), one, 'one')
    await ask(`update akashi_auth.users set account_status = 'suspended' where username = 'stranger'`)
    const browser = server.browser(open)
    expect(await signIn(browser, one, 'one')).toBe('/?sign-in=unauthenticated')
    expect(browser.cookies.has('__Host-akashi-session')).toBe(false)
  })

  it('asks for the second factor that the user has here, unless the provider asked for one', async () => {
    one.account = { sub: 'double', claims: verified('double') }
    const app = served()
    const first = server.browser(app)
    await signIn(first, one, 'one')
    const { secret } = await enrol(first, server.clock.now())
    const browser = server.browser(app)
    expect(await signIn(browser, one, 'one')).toBe('/?sign-in=second_factor')
    expect((await browser.send('GET', '/v1/session')).statusCode).toBe(401)
    server.clock.set(new Date(server.clock.now().getTime() + 60_000))
    const code = totpCode(secret, server.clock.now())
    expect((await browser.send('POST', '/v1/session', { code })).json()).toMatchObject({ step: 'done' })
    expect((await browser.send('GET', '/v1/session')).json()).toMatchObject({ secondFactor: true })
    expect(browser.cookies.has('__Host-akashi-challenge')).toBe(false)
  })
})

describe('what comes back', () => {
  it.each<[string, (url: URL) => void]>([
    ['another state', (url) => url.searchParams.set('state', 'x')],
    ['no state', (url) => url.searchParams.delete('state')],
    ['another code', (url) => url.searchParams.set('code', 'x')],
    ['another issuer (mix-up)', (url) => url.searchParams.set('iss', 'https://evil.example')],
    ['a refusal', (url) => url.searchParams.set('error', 'access_denied')],
  ])('is refused with %s', async (_, change) => {
    one.account = { sub: 'tampered', claims: verified('tampered') }
    const browser = server.browser(served())
    const start = await browser.send('GET', '/v1/oidc/one/start')
    const back = new URL(await throughProvider(String(start.headers['location']), one.issuer))
    change(back)
    const end = await browser.send('GET', `/v1/oidc/callback${back.search}`)
    expect(end.headers['location']).toBe('/?sign-in=unauthenticated')
    expect(browser.cookies.size).toBe(0)
  })

  it('signs nobody in whose browser did not begin it, and works once', async () => {
    one.account = { sub: 'begun', claims: verified('begun') }
    const app = served()
    const [attacker, victim] = [server.browser(app), server.browser(app)]
    const start = await attacker.send('GET', '/v1/oidc/one/start')
    const { search } = new URL(await throughProvider(String(start.headers['location']), one.issuer))
    expect((await victim.send('GET', `/v1/oidc/callback${search}`)).headers['location']).toBe(
      '/?sign-in=unauthenticated',
    )
    const flow = attacker.cookies.get('__Host-akashi-sign-in') ?? ''
    expect((await attacker.send('GET', `/v1/oidc/callback${search}`)).headers['location']).toBe('/')
    attacker.cookies.set('__Host-akashi-sign-in', flow)
    expect((await attacker.send('GET', `/v1/oidc/callback${search}`)).headers['location']).toBe(
      '/?sign-in=unauthenticated',
    )
  })

  it('is not begun by a page of somebody else, which would sign people in unasked', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const browser = server.browser(served())
      const start = await browser.send('GET', '/v1/oidc/one/start?returnTo=/rooms/7', undefined, {
        'sec-fetch-site': site,
      })
      expect(start.headers['location']).toBe('/sign-in?next=%2Frooms%2F7')
      expect([...browser.cookies.keys()]).toEqual([])
    }
  })

  it('leads to a path of ours and nowhere else', async () => {
    const browser = server.browser(served())
    for (const returnTo of [
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      '/a%0d%0ab'.replace('%0d%0a', '\r\n'),
    ]) {
      const answer = await browser.send('GET', `/v1/oidc/one/start?returnTo=${encodeURIComponent(returnTo)}`)
      expect(answer.statusCode, returnTo).toBe(400)
    }
    expect((await browser.send('GET', '/v1/oidc/nobody/start')).statusCode).toBe(404)
  })

  it('has its secrets in no address: PKCE, state and nonce are there', async () => {
    const browser = server.browser(served())
    const start = await browser.send('GET', '/v1/oidc/one/start?reauthenticate=true')
    const { searchParams } = new URL(String(start.headers['location']))
    expect(Object.fromEntries(searchParams)).toMatchObject({
      redirect_uri: CALLBACK,
      response_type: 'code',
      code_challenge_method: 'S256',
      prompt: 'login',
      scope: 'openid email profile',
    })
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(searchParams.get(name)).toMatch(/^[\w-]{43}$/)
    expect(String(start.headers['set-cookie'])).toMatch(
      /^__Host-akashi-sign-in=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    )
  })
})

describe('a service', () => {
  it('is the user of its issuer and subject, with a token of its own', async () => {
    const app = served()
    const token = await one.serviceToken()
    const call = (authorization: string) =>
      overSocket(app, { url: '/v1/permissions/mine', headers: { host: 'localhost:4180', authorization } })
    expect((await call(`Bearer ${token}`)).statusCode).toBe(401)
    const { login } = server.identity()
    const id = await login.worker.transaction(tester, (session) =>
      createUser(session, login.vault, {
        issuer: one.issuer,
        subject: SERVICE,
        username: 'svc-reporting',
        email: 'reporting@example.com',
      }),
    )
    expect((await call(`Bearer ${token}`)).statusCode).toBe(200)
    // Of another issuer the same subject is nobody.
    expect((await call(`Bearer ${await two.serviceToken()}`)).statusCode).toBe(401)
    expect((await call(`Bearer ${token.slice(0, -4)}AAAA`)).statusCode).toBe(401)
    await one.rotate()
    expect((await call(`Bearer ${await one.serviceToken()}`)).statusCode).toBe(200)
    await ask(`update akashi_auth.users set account_status = 'suspended' where id = $1`, [id])
    expect((await call(`Bearer ${await one.serviceToken()}`)).statusCode).toBe(401)
  })

  it('has no session, and needs no header against forgery', async () => {
    const app = served()
    await ask(`update akashi_auth.users set account_status = 'active' where username = 'svc-reporting'`)
    const authorization = `Bearer ${await one.serviceToken()}`
    const headers = { host: 'localhost:4180', authorization }
    const room = await overSocket(app, {
      method: 'POST',
      url: '/v1/chat/rooms',
      headers,
      payload: { name: 'R' },
    })
    expect(room.statusCode).toBe(201)
    expect((await overSocket(app, { method: 'PATCH', url: '/v1/me', headers, payload: {} })).statusCode).toBe(
      403,
    )
    expect((await overSocket(app, { url: '/v1/session', headers })).statusCode).toBe(403)
    expect(
      (await overSocket(app, { method: 'POST', url: '/v1/me/mfa', headers, payload: {} })).statusCode,
    ).toBe(403)
  })
})

it('the ways to sign in are listed', async () => {
  expect((await overSocket(served(), { url: '/v1/oidc', headers: { host: 'localhost' } })).json()).toEqual({
    password: true,
    providers: [
      { name: 'one', label: 'Provider One', start: '/v1/oidc/one/start' },
      { name: 'two', label: 'two', start: '/v1/oidc/two/start' },
    ],
  })
})
