import { hash as bcrypt } from '@node-rs/bcrypt'
import { afterAll, describe, expect, it } from 'vitest'
import { totpCode } from '../../src/identity/mfa/index.ts'
import { testDatabase } from '../support/index.ts'
import { type Browser, enrol, PASSWORD, testServer } from './server.ts'

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

/** Moves time forward where codes are compared, so that each has a step of its own. */
function later(seconds: number): Date {
  server.clock.set(new Date(server.clock.now().getTime() + seconds * 1_000))
  return server.clock.now()
}

describe('a password', () => {
  it('opens a session by username or e-mail, and the trail knows', async () => {
    const id = await server.user('hanako')
    const browser = server.browser(served(), '127.0.0.1')
    const answer = await browser.signIn('hanako')
    expect(answer.json()).toEqual({ step: 'done', userId: id })
    const state = (await browser.send('GET', '/v1/session')).json()
    expect(state).toMatchObject({ userId: id, username: 'hanako', secondFactor: false, pending: null })
    expect(state.permissions).toContain('rooms:read')
    expect((await server.browser(served()).signIn('Hanako@Example.com')).statusCode).toBe(200)
    expect(
      await ask(
        'select result, method, host(ip_address) as ip, session_id from akashi_auth.login_attempts where user_id = $1 order by seq limit 1',
        [id],
      ),
    ).toEqual([{ result: 'success', method: 'password', ip: '127.0.0.1', session_id: state.sessionId }])
    expect(
      await ask(
        `select result from akashi_security.security_events where event_type = 'authentication_success' and user_id = $1`,
        [id],
      ),
    ).toHaveLength(2)
    expect(
      await ask(
        `select data_subject, new_values ->> 'last_login_at' is not null as "at" from akashi_audit.audit_logs
         where table_name = 'users' and record_id = $1 and 'last_login_at' = any (changed_fields)`,
        [id],
      ),
    ).toEqual([
      { data_subject: id, at: true },
      { data_subject: id, at: true },
    ])
  })

  it('is in a cookie that scripts and other sites do not get, and nowhere else', async () => {
    await server.user('cookie')
    const answer = await server.browser(served()).signIn('cookie')
    const set = [answer.headers['set-cookie']]
      .flat()
      .find((text) => text?.startsWith('__Host-akashi-session='))
    expect(set).toMatch(
      /^__Host-akashi-session=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    )
    expect(answer.headers['cache-control']).toBe('no-store')
    const token = /=([\w-]{43})/.exec(String(set))?.[1] ?? ''
    expect(answer.body).not.toContain(token)
    const [row] = await ask<{ found: boolean }>(
      `select exists (select from akashi_auth.user_sessions where session_token_hash = sha256(convert_to($1, 'UTF8'))) as found`,
      [token],
    )
    expect(row?.found).toBe(true)
  })

  it('that is wrong reads like a user that is not there, and takes the same work', async () => {
    await server.user('present')
    const { passwords } = server.identity().login
    const answers = []
    for (const login of ['present', 'absent', 'absent@example.com']) {
      const before = passwords.evaluated
      const { statusCode, headers, body } = await server
        .browser(served())
        .signIn(login, 'not the kettle tram')
      const { instance, ...said } = JSON.parse(body)
      answers.push({
        work: passwords.evaluated - before,
        statusCode,
        said,
        headers: Object.keys(headers)
          .filter((name) => name !== 'date')
          .sort(),
      })
    }
    expect(answers[0]).toMatchObject({ work: 1, statusCode: 401 })
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
  })

  it('by bcrypt is taken once and kept as argon2id', async () => {
    const id = await server.user('oldster')
    const former = await bcrypt(PASSWORD, 4)
    await ask('update akashi_auth.local_credentials set password_hash = $2 where user_id = $1', [id, former])
    expect((await server.browser(served()).signIn('oldster')).statusCode).toBe(200)
    const [row] = await ask<{ password_hash: string }>(
      'select password_hash from akashi_auth.local_credentials where user_id = $1',
      [id],
    )
    expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect((await server.browser(served()).signIn('oldster')).statusCode).toBe(200)
  })

  it('of an account that is suspended opens nothing and does not count', async () => {
    const id = await server.user('suspended')
    const browser = server.browser(served())
    await browser.signIn('suspended')
    await ask(`update akashi_auth.users set account_status = 'suspended' where id = $1`, [id])
    expect((await browser.send('GET', '/v1/session')).statusCode).toBe(401)
    for (let i = 0; i < 8; i += 1) {
      const answer = await browser.signIn('suspended')
      expect(answer.statusCode).toBe(401)
      expect(answer.json().detail).toBe('this account is not active')
    }
    expect(
      await ask(
        `select distinct result, counted, failure_reason from akashi_auth.login_attempts where user_id = $1 and result <> 'success'`,
        [id],
      ),
    ).toEqual([{ result: 'denied', counted: false, failure_reason: 'account_not_active' }])
    await ask(`update akashi_auth.users set account_status = 'active' where id = $1`, [id])
    expect((await browser.signIn('suspended')).statusCode).toBe(200)
  })

  it('is not taken where policy has providers alone', async () => {
    await server.user('policied')
    await ask(`update akashi_auth.security_policies set value = 'false' where key = 'password.local_login'`)
    try {
      const before = server.identity().login.passwords.evaluated
      expect((await server.browser(served()).signIn('policied')).statusCode).toBe(403)
      expect(server.identity().login.passwords.evaluated).toBe(before)
      expect((await server.browser(served()).send('GET', '/v1/oidc')).json()).toEqual({
        password: false,
        providers: [],
      })
    } finally {
      await ask(`update akashi_auth.security_policies set value = 'true' where key = 'password.local_login'`)
    }
  })

  it('given by somebody else must be changed before anything else', async () => {
    await server.user('fresh', { oneTime: true })
    const browser = server.browser(served())
    await browser.signIn('fresh')
    expect((await browser.send('GET', '/v1/session')).json()).toMatchObject({ pending: 'password_change' })
    const refused = await browser.send('GET', '/v1/me/sessions')
    expect(refused.statusCode).toBe(403)
    expect(refused.json()).toMatchObject({ reason: 'password_change' })
    const next = 'umbrella stapler mould'
    expect((await browser.send('PUT', '/v1/me/password', { current: PASSWORD, next })).statusCode).toBe(204)
    expect((await browser.send('GET', '/v1/me/sessions')).statusCode).toBe(200)
    expect((await server.browser(served()).signIn('fresh')).statusCode).toBe(401)
    expect((await server.browser(served()).signIn('fresh', next)).statusCode).toBe(200)
  })

  it('given by somebody else ends with its time', async () => {
    const id = await server.user('tardy', { oneTime: true })
    await ask(
      `update akashi_auth.local_credentials set expires_at = now() - interval '1 second' where user_id = $1`,
      [id],
    )
    const answer = await server.browser(served()).signIn('tardy')
    expect(answer.statusCode).toBe(401)
    expect(answer.json().detail).toBe('this one-time password has expired')
  })
})

describe('changing the password', () => {
  it('ends every other session, renews this one, and asks for the current one', async () => {
    await server.user('changer')
    const [here, elsewhere] = [server.browser(served()), server.browser(served())]
    await here.signIn('changer')
    await elsewhere.signIn('changer')
    const former = here.cookies.get('__Host-akashi-session')
    const next = 'umbrella stapler mould'
    const wrong = await here.send('PUT', '/v1/me/password', { current: 'not the kettle tram', next })
    expect(wrong.statusCode).toBe(401)
    expect((await here.send('PUT', '/v1/me/password', { current: PASSWORD, next })).statusCode).toBe(204)
    expect(here.cookies.get('__Host-akashi-session')).not.toBe(former)
    expect((await here.send('GET', '/v1/session')).statusCode).toBe(200)
    expect((await elsewhere.send('GET', '/v1/session')).statusCode).toBe(401)
    const back = await here.send('PUT', '/v1/me/password', { current: next, next: PASSWORD })
    expect(back.statusCode).toBe(400)
    expect(back.json().errors).toMatchObject([{ pointer: '/next', detail: 'it was used before' }])
  })

  it.each([
    ['short', 'it is too short'],
    ['password12345', 'it is a common or leaked password'],
    ['I am picky-person 7', 'it contains your name'],
  ])('refuses %j', async (next, detail) => {
    const name = 'picky-person'
    if ((await ask('select from akashi_auth.users where username = $1', [name])).length === 0)
      await server.user(name)
    const browser = server.browser(served())
    await browser.signIn(name)
    const answer = await browser.send('PUT', '/v1/me/password', { current: PASSWORD, next })
    expect(answer.statusCode).toBe(400)
    expect(answer.json().errors).toMatchObject([{ detail }])
  })
})

describe('a second factor', () => {
  it('is asked for after the password, and its code works once', async () => {
    const id = await server.user('twofold')
    const app = served()
    const first = server.browser(app)
    await first.signIn('twofold')
    const { secret } = await enrol(first, server.clock.now())
    expect((await first.send('GET', '/v1/session')).json()).toMatchObject({ secondFactor: true })

    const browser = server.browser(app)
    const step = (await browser.signIn('twofold')).json()
    expect(step).toEqual({ step: 'second_factor', challenge: expect.any(String) })
    expect(browser.cookies.size).toBe(0)
    const code = totpCode(secret, later(60))
    const wrong = await browser.send('POST', '/v1/session', { challenge: step.challenge, code: '000000' })
    expect(wrong.statusCode).toBe(401)
    const right = await browser.send('POST', '/v1/session', { challenge: step.challenge, code })
    expect(right.json()).toEqual({ step: 'done', userId: id })
    expect((await browser.send('GET', '/v1/session')).json()).toMatchObject({ secondFactor: true })
    const again = await server.browser(app).send('POST', '/v1/session', { challenge: step.challenge, code })
    expect(again.statusCode).toBe(401)
  })

  it('shown by several requests at once lets one in', async () => {
    await server.user('parallel-code')
    const app = served()
    const first = server.browser(app)
    await first.signIn('parallel-code')
    const { secret } = await enrol(first, server.clock.now())
    const code = totpCode(secret, later(60))
    const { challenge } = (await server.browser(app).signIn('parallel-code')).json()
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => server.browser(app).send('POST', '/v1/session', { challenge, code })),
    )
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 401, 401, 401])
  })

  it('has recovery codes in its place, each good once', async () => {
    await server.user('forgetful')
    const app = served()
    const first = server.browser(app)
    await first.signIn('forgetful')
    const { codes } = await enrol(first, server.clock.now())
    expect(codes).toHaveLength(10)
    const [recoveryCode = ''] = codes
    for (const status of [200, 401]) {
      const browser = server.browser(app)
      const { challenge } = (await browser.signIn('forgetful')).json()
      expect((await browser.send('POST', '/v1/session', { challenge, recoveryCode })).statusCode).toBe(status)
    }
    expect((await first.send('GET', '/v1/me/mfa')).json()).toMatchObject({ recoveryCodesLeft: 9 })
  })

  it('cannot be guessed by one who knows the password, however often they show it', async () => {
    await server.user('guessed')
    const app = served()
    const first = server.browser(app)
    await first.signIn('guessed')
    await enrol(first, server.clock.now())
    const statuses: number[] = []
    for (let i = 0; i < 7; i += 1) {
      const browser = server.browser(app, '127.0.0.9')
      const step = await browser.signIn('guessed')
      if (step.statusCode === 429) {
        statuses.push(429)
        continue
      }
      const answer = await browser.send('POST', '/v1/session', {
        challenge: step.json().challenge,
        code: '000000',
      })
      statuses.push(answer.statusCode)
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
  })

  it('is needed by administrators before they do anything', async () => {
    await server.user('overseer', { role: 'sys_admin' })
    const browser = server.browser(served())
    await browser.signIn('overseer')
    const refused = await browser.send('GET', '/v1/audit/logs')
    expect(refused.statusCode).toBe(403)
    expect(refused.json()).toMatchObject({ reason: 'second_factor' })
    await enrol(browser, server.clock.now())
    expect((await browser.send('GET', '/v1/audit/logs')).statusCode).toBe(200)
  })

  it('of another user does not open, nor does its ciphertext in another row', async () => {
    const [victim, attacker] = [await server.user('swap-victim'), await server.user('swap-attacker')]
    const app = served()
    const [hers, his] = [server.browser(app), server.browser(app)]
    await hers.signIn('swap-victim')
    await his.signIn('swap-attacker')
    await enrol(hers, server.clock.now())
    const { secret } = await enrol(his, server.clock.now())
    await ask(
      'update akashi_auth.mfa_factors set secret = (select secret from akashi_auth.mfa_factors where user_id = $2) where user_id = $1',
      [victim, attacker],
    )
    const browser = server.browser(app)
    const { challenge } = (await browser.signIn('swap-victim')).json()
    const answer = await browser.send('POST', '/v1/session', { challenge, code: totpCode(secret, later(60)) })
    expect(answer.statusCode).toBe(500)
    expect(browser.cookies.size).toBe(0)
  })

  it('is worth nothing under a challenge that was changed, is old, or is from before a reset', async () => {
    const id = await server.user('challenged')
    const app = served()
    const first = server.browser(app)
    await first.signIn('challenged')
    const { secret } = await enrol(first, server.clock.now())
    const { challenge } = (await server.browser(app).signIn('challenged')).json()
    const code = () => totpCode(secret, later(60))
    const changed = `${challenge.slice(0, -4)}AAAA`
    expect(
      (await server.browser(app).send('POST', '/v1/session', { challenge: changed, code: code() }))
        .statusCode,
    ).toBe(401)
    await ask('update akashi_auth.local_credentials set changed_at = now() where user_id = $1', [id])
    expect(
      (await server.browser(app).send('POST', '/v1/session', { challenge, code: code() })).statusCode,
    ).toBe(401)
  })
})

describe('step-up', () => {
  it('is asked for once credentials were shown too long ago, and renews the token', async () => {
    const id = await server.user('dangerous')
    const browser = server.browser(served())
    await browser.signIn('dangerous')
    await ask(
      `update akashi_auth.user_sessions set authenticated_at = now() - interval '1 hour' where user_id = $1`,
      [id],
    )
    const refused = await browser.send('POST', '/v1/me/mfa', {})
    expect(refused.statusCode).toBe(403)
    expect(refused.json()).toMatchObject({ reason: 'step_up' })
    expect(
      (await browser.send('POST', '/v1/session/step-up', { password: 'not the kettle tram' })).statusCode,
    ).toBe(401)
    const former = browser.cookies.get('__Host-akashi-session') ?? ''
    expect((await browser.send('POST', '/v1/session/step-up', { password: PASSWORD })).statusCode).toBe(204)
    expect((await browser.send('POST', '/v1/me/mfa', {})).statusCode).toBe(200)
    browser.cookies.set('__Host-akashi-session', former)
    expect((await browser.send('GET', '/v1/session')).statusCode).toBe(401)
  })

  const someone = '00000000-0000-4000-8000-000000000001'
  it.each([
    ['POST', '/users', { username: 'new-one', email: 'new@example.com' }],
    ['PATCH', `/users/${someone}`, { status: 'suspended' }],
    ['POST', `/users/${someone}/erasure`, { confirm: 'x', reason: 'x' }],
    ['PUT', `/users/${someone}/roles/viewer`, {}],
    ['DELETE', `/users/${someone}/roles/viewer`, undefined],
    ['POST', '/roles', { name: 'made_here', tier: 'service' }],
    ['DELETE', '/roles/made_here', undefined],
    ['PUT', '/roles/made_here/permissions/rooms:read', undefined],
    ['DELETE', '/roles/made_here/permissions/rooms:read', undefined],
    ['POST', '/api-keys', { name: 'mine', scopes: [] }],
    ['POST', `/api-keys/${someone}/rotate`, {}],
    ['POST', '/service-accounts', { name: 'exporter' }],
    ['PUT', '/policies/password.min_length', { value: 20 }],
    ['DELETE', '/policies/password.min_length', undefined],
    ['PUT', '/archive/holds/audit.audit_logs', { held: true }],
    ['POST', '/restores', { table: 'public.orders', at: 'latest', diff: true }],
    ['POST', '/backups/prune', undefined],
    ['POST', '/backups/rewrap', undefined],
    ['POST', '/me/mfa', {}],
    ['POST', '/me/mfa/recovery-codes', {}],
  ] as const)('is asked for by %s %s', async (method, path, body) => {
    const browser = await lateAdministrator()
    const refused = await browser.send(method, `/v1${path}`, body)
    expect(refused.statusCode, refused.body).toBe(403)
    expect(refused.json()).toMatchObject({ reason: 'step_up' })
  })
})

let administrator: Browser | undefined

/** Signed in with everything an administrator needs, an hour ago. */
async function lateAdministrator(): Promise<Browser> {
  if (administrator !== undefined) return administrator
  const id = await server.user('late-admin')
  const browser = server.browser(served())
  await browser.signIn('late-admin')
  await enrol(browser, server.clock.now())
  await ask(
    `insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = 'sys_admin'`,
    [id],
  )
  await ask(
    `update akashi_auth.user_sessions set security_validated = true, authenticated_at = now() - interval '1 hour' where user_id = $1`,
    [id],
  )
  administrator = browser
  return browser
}
