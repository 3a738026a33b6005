/** Passkeys in Chromium with a virtual authenticator: added, alone, as a second factor, to confirm, and attacked. */
import type { Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { listen } from '../http/support.ts'
import { testDatabase } from '../support/index.ts'
import { hasChromium, openChromium } from '../web/support.ts'
import { PASSWORD, testServer } from './server.ts'

const database = testDatabase()
const server = testServer(database)
const chromium = openChromium()
let port = 0
let page: Page
let aikoId = ''

const ask = async <R>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows

interface Sent {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: responses of many shapes
  readonly body: any
}

/** As a page of the server does. */
async function send(method: string, path: string, body?: object): Promise<Sent> {
  return await page.evaluate(
    async ([how, where, what]) => {
      const answer = await fetch(String(where), {
        method: String(how),
        headers: {
          'x-akashi-request': '1',
          ...(what === null ? {} : { 'content-type': 'application/json' }),
        },
        ...(what === null ? {} : { body: String(what) }),
      })
      const text = await answer.text()
      return { status: answer.status, body: text === '' ? null : JSON.parse(text) }
    },
    [method, path, body === undefined ? null : JSON.stringify(body)],
  )
}

/** What the authenticator makes of options; null when it makes nothing. */
async function answerOf(what: 'create' | 'get', options: object): Promise<Record<string, unknown> | null> {
  // Written as text: the types of the page are not those of the test.
  return await page.evaluate(`(async () => {
    const options = ${JSON.stringify(options)}
    const publicKey = '${what}' === 'create'
      ? PublicKeyCredential.parseCreationOptionsFromJSON(options)
      : PublicKeyCredential.parseRequestOptionsFromJSON(options)
    return await navigator.credentials.${what}({ publicKey }).then((made) => made.toJSON(), () => null)
  })()`)
}

async function proof() {
  const { body } = await send('POST', '/v1/session/passkey')
  return { challenge: body.challenge, response: (await answerOf('get', body.options)) ?? {} }
}

async function add(label: string | null = null): Promise<Sent> {
  const { body } = await send('POST', '/v1/me/passkeys/options')
  const response = await answerOf('create', body.options)
  return await send('POST', '/v1/me/passkeys', { challenge: body.challenge, response, label })
}

const signIn = (login: string) => send('POST', '/v1/session', { login, password: PASSWORD })
const signOut = () => send('DELETE', '/v1/session')

beforeAll(async () => {
  await ask(`update akashi_auth.security_policies set value = '[]' where key = 'mfa.required_tiers'`)
  const app = server.app()
  port = await listen(app)
  aikoId = await server.user('aiko')
  await server.user('bunta')
  if (hasChromium) page = await authenticatedPage()
  return () => app.close()
})

async function authenticatedPage(): Promise<Page> {
  const opened = await chromium.page()
  const cdp = await opened.context().newCDPSession(opened)
  await cdp.send('WebAuthn.enable')
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  await opened.goto(`http://localhost:${port}/healthz`)
  return opened
}

describe.runIf(hasChromium)('a passkey', () => {
  it('is added in a session that confirmed lately, with recovery codes for the first factor', async () => {
    expect((await send('POST', '/v1/me/passkeys/options')).status).toBe(401)
    await signIn('aiko')
    const added = await add('laptop')
    expect(added).toMatchObject({ status: 201, body: { id: expect.any(String) } })
    expect(added.body.recoveryCodes).toHaveLength(10)
    expect((await send('GET', '/v1/me/passkeys')).body).toMatchObject({
      passkeys: [{ id: added.body.id, label: 'laptop', lastUsedAt: null }],
    })
    expect((await send('GET', '/v1/session')).body).toMatchObject({ secondFactor: true })
    // The authenticator itself adds none twice.
    expect((await add()).status).toBe(400)
    await ask(
      `update akashi_auth.user_sessions set authenticated_at = now() - interval '1 hour' where user_id = $1`,
      [aikoId],
    )
    expect((await send('POST', '/v1/me/passkeys/options')).body).toMatchObject({ reason: 'step_up' })
    await signOut()
  })

  it('signs in alone, as two factors', async () => {
    const done = await send('POST', '/v1/session', { passkey: await proof() })
    expect(done).toEqual({ status: 200, body: { step: 'done', userId: aikoId } })
    expect((await send('GET', '/v1/session')).body).toMatchObject({ username: 'aiko', secondFactor: true })
    const { sessions } = (await send('GET', '/v1/me/sessions')).body
    expect(sessions.find((each: { current: boolean }) => each.current).methods).toEqual([
      'pop',
      'user',
      'mfa',
    ])
    const attempts = await ask(
      `select result from akashi_auth.login_attempts where method = 'passkey' and user_id = $1`,
      [aikoId],
    )
    expect(attempts).toEqual([{ result: 'success' }])
    await signOut()
  })

  it('is the second factor that a password asks for', async () => {
    await signOut()
    const { body } = await signIn('aiko')
    expect(body).toMatchObject({ step: 'second_factor' })
    expect((await send('GET', '/v1/me')).status).toBe(401)
    const done = await send('POST', '/v1/session', { challenge: body.challenge, passkey: await proof() })
    expect(done.body).toMatchObject({ step: 'done' })
    expect((await send('GET', '/v1/session')).body).toMatchObject({ secondFactor: true })
  })

  it('confirms, where the password no longer does', async () => {
    await ask(
      `update akashi_auth.user_sessions set authenticated_at = now() - interval '1 hour' where user_id = $1`,
      [aikoId],
    )
    expect((await send('POST', '/v1/session/step-up', { password: PASSWORD })).status).toBe(400)
    expect((await send('POST', '/v1/session/step-up', { passkey: await proof() })).status).toBe(204)
    expect((await send('POST', '/v1/me/passkeys/options')).status).toBe(200)
    await signOut()
  })
})

describe.runIf(hasChromium)('an attacker', () => {
  // Each of these is an attempt that failed.
  beforeEach(() => ask('delete from akashi_auth.login_throttles'))
  const alone = async (passkey: object) => (await send('POST', '/v1/session', { passkey })).status

  it('does not show what was shown before', async () => {
    const shown = await proof()
    expect(await alone(shown)).toBe(200)
    await signOut()
    expect(await alone(shown)).toBe(401)
    // Nor one that was kept back until its owner had signed in again.
    const kept = await proof()
    expect(await alone(await proof())).toBe(200)
    await signOut()
    expect(await alone(kept)).toBe(401)
  })

  it('does not answer another challenge, for another origin, or with what is no answer', async () => {
    const shown = await proof()
    const other = await proof()
    expect(await alone({ ...shown, challenge: other.challenge })).toBe(401)
    await signIn('bunta')
    const { challenge } = (await send('POST', '/v1/me/passkeys/options')).body
    await signOut()
    expect(await alone({ ...shown, challenge })).toBe(401)
    expect(await alone({ ...shown, challenge: 'none' })).toBe(401)
    const inner = other.response['response'] as Record<string, string>
    const said = JSON.parse(Buffer.from(inner['clientDataJSON'] ?? '', 'base64url').toString())
    const elsewhere = { ...said, origin: 'https://evil.example' }
    const clientDataJSON = Buffer.from(JSON.stringify(elsewhere)).toString('base64url')
    expect(
      await alone({ ...other, response: { ...other.response, response: { ...inner, clientDataJSON } } }),
    ).toBe(401)
    await ask('delete from akashi_auth.login_throttles')
    for (const response of [
      {},
      { id: 'x' },
      { id: 1 },
      { ...other.response, response: null },
      { id: other.response['id'] },
    ]) {
      expect(await alone({ ...other, response })).toBe(401)
    }
  })

  it('does not end the sign-in of somebody else with a passkey of their own', async () => {
    const { id } = (
      await ask<{ id: string }>('select id from akashi_auth.users where username = $1', ['bunta'])
    )[0] ?? { id: '' }
    // Bunta has a factor, which is not at hand.
    await ask(
      `insert into akashi_auth.passkeys (user_id, credential_id, public_key, backed_up) values ($1, '\\x01', '\\x01', false)`,
      [id],
    )
    const { body } = await signIn('bunta')
    expect(body.step).toBe('second_factor')
    const tried = await send('POST', '/v1/session', { challenge: body.challenge, passkey: await proof() })
    expect(tried).toMatchObject({ status: 401, body: { reason: 'wrong_code' } })
    expect((await send('GET', '/v1/me')).status).toBe(401)
  })

  it('is refused with a copy of the authenticator', async () => {
    await ask('update akashi_auth.passkeys set sign_count = 1000000 where user_id = $1', [aikoId])
    expect(await alone(await proof())).toBe(401)
    await ask('update akashi_auth.passkeys set sign_count = 0 where user_id = $1', [aikoId])
    expect(await alone(await proof())).toBe(200)
    await signOut()
  })

  it('is counted, and locked out as with any other guess', async () => {
    const ghost = { challenge: 'none', response: { id: 'Z2hvc3Q' } }
    const statuses: number[] = []
    for (let index = 0; index < 7; index += 1) statuses.push(await alone(ghost))
    expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401])
    expect(statuses.at(-1)).toBe(429)
  })

  it('does not get past the state of the account, or the provider of it', async () => {
    await ask(`update akashi_auth.users set account_status = 'suspended' where id = $1`, [aikoId])
    expect(await alone(await proof())).toBe(401)
    await ask(
      `update akashi_auth.users set account_status = 'active', issuer = 'https://id.example' where id = $1`,
      [aikoId],
    )
    expect(await alone(await proof())).toBe(401)
    await ask(`update akashi_auth.users set issuer = 'local' where id = $1`, [aikoId])
    await ask(`update akashi_auth.security_policies set value = 'false' where key = 'password.local_login'`)
    expect(await alone(await proof())).toBe(403)
    await ask(`update akashi_auth.security_policies set value = 'true' where key = 'password.local_login'`)
    expect(await alone(await proof())).toBe(200)
  })
})

describe.runIf(hasChromium)('the end of a passkey', () => {
  it('is also that of the recovery codes in its place', async () => {
    await ask('delete from akashi_auth.login_throttles')
    expect((await send('POST', '/v1/session', { passkey: await proof() })).status).toBe(200)
    const { passkeys } = (await send('GET', '/v1/me/passkeys')).body
    expect((await send('DELETE', `/v1/me/passkeys/${passkeys[0].id}`)).status).toBe(204)
    expect((await send('DELETE', `/v1/me/passkeys/${passkeys[0].id}`)).status).toBe(404)
    expect((await send('GET', '/v1/me/mfa')).body).toMatchObject({ recoveryCodesLeft: 0 })
    await signOut()
    expect((await signIn('aiko')).body).toMatchObject({ step: 'done' })
  })
})

it('is not offered at an address, which no passkey is for', async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/session/passkey`, { method: 'POST' })
  expect(answer.status).toBe(422)
  expect(await answer.json()).toMatchObject({ hint: expect.stringContaining('http://localhost') })
})
