/** What used to lead further than its permission: names, factors, keys. Tried over a socket. */
import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { totpCode } from '../../src/identity/mfa/index.ts'
import { listen } from '../http/support.ts'
import { testDatabase } from '../support/index.ts'
import { PASSWORD, testServer } from './server.ts'

const database = testDatabase()
const server = testServer(database)
let origin = ''
let http: ReturnType<typeof server.app>
let addresses = 0

beforeAll(async () => {
  http = server.app({}, { trustedProxies: ['127.0.0.1'] })
  origin = `http://127.0.0.1:${await listen(http)}`
  return () => http.close()
})

const ask = async <R = Record<string, unknown>>(text: string, values: readonly unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows
const setPolicy = (key: string, value: string) =>
  ask('update akashi_auth.security_policies set value = $2::jsonb where key = $1', [key, value])

/** A browser at an address of its own. */
class Browser {
  cookie = ''
  readonly address: string

  constructor(address?: string) {
    addresses += 1
    this.address = address ?? `203.0.113.${addresses}`
  }

  async send(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
    const answer = await fetch(`${origin}/v1${path}`, {
      method,
      headers: {
        'x-forwarded-for': this.address,
        'x-akashi-request': '1',
        ...(this.cookie === '' ? {} : { cookie: this.cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const set = /__Host-akashi-session=[^;]+/.exec(answer.headers.getSetCookie().join('; '))?.[0]
    if (set !== undefined) this.cookie = set
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
  }

  signIn(login: string, password = PASSWORD) {
    return this.send('POST', '/session', { login, password })
  }
}

async function person(name: string): Promise<Browser & { id: string }> {
  const id = await server.user(name)
  const browser = new Browser()
  expect((await browser.signIn(name)).status).toBe(200)
  return Object.assign(browser, { id })
}

async function enrol(browser: Browser): Promise<{ id: string; secret: string }> {
  const { id, secret } = (await browser.send('POST', '/me/mfa', {})).body
  const code = totpCode(secret, server.clock.now())
  expect((await browser.send('POST', `/me/mfa/${id}/confirm`, { code })).status).toBe(200)
  return { id, secret }
}

const other = (code: string) => String((Number(code) + 500_000) % 1_000_000).padStart(6, '0')

describe('a username', () => {
  it.each([
    ['the id of another', () => crypto.randomUUID()],
    ['an id without dashes', () => randomBytes(16).toString('hex')],
    ['the name that an erasure gives', () => `deleted-${crypto.randomUUID()}`],
    ['the same in full width', () => `ｄｅｌｅｔｅｄ－${'a'.repeat(8)}`],
    ['another case', () => 'Chosen'],
    ['full width', () => 'ｃｈｏｓｅｎ'],
    ['a letter of another script', () => 'chоsen'],
    ['an accent', () => 'chose\u0307n'],
    ['a blank at the end', () => 'chosen '],
    ['an invisible character', () => 'cho\u200bsen'],
    ['a mark that turns direction', () => '\u202enesohc'],
    ['a control character', () => 'cho\u0007sen'],
    ['nothing that is seen', () => '\u3164\u3164\u3164'],
    ['somebody’s address', () => 'boss@example.com'],
    ['a line break', () => 'cho\nsen'],
    ['everybody', () => 'Everyone'],
  ])('is not %s', async (_, name) => {
    if ((await ask(`select from akashi_auth.users where username = 'chosen'`)).length === 0) {
      await server.user('chosen')
    }
    const browser = await person(`u${randomBytes(6).toString('hex')}`)
    const { status } = await browser.send('PATCH', '/me', { username: name() })
    expect([400, 409]).toContain(status)
  })

  it.each(['山田 太郎', 'ﾔﾏﾀﾞ', 'José', 'o’brien'.replace('’', "'"), 'taro.yamada', '葛\u{e0100}城太郎'])(
    'is %s where somebody wants it, and signs in however it is typed',
    async (name) => {
      const browser = await person(`u${randomBytes(6).toString('hex')}`)
      expect((await browser.send('PATCH', '/me', { username: name })).status).toBe(204)
      const typed = name.normalize('NFKC').replaceAll('\u{e0100}', '')
      for (const spelling of [typed, typed.normalize('NFD'), typed.toUpperCase()]) {
        expect((await new Browser().signIn(spelling)).status, spelling).toBe(200)
      }
    },
  )

  it('never stops an erasure', async () => {
    const victim = await server.user('victim')
    const taken = ask('update akashi_auth.users set username = $2 where id <> $1 and username = $3', [
      victim,
      `deleted-${victim}`,
      'chosen',
    ])
    await expect(taken).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

describe('a second factor', () => {
  it('is guessed a few times only, from however many addresses', async () => {
    await setPolicy('lockout.factor_threshold', '5')
    const owner = await person('factored')
    const { secret } = await enrol(owner)
    const wrong = other(totpCode(secret, server.clock.now()))
    const statuses: number[] = []
    for (let from = 0; from < 6; from += 1) {
      const thief = new Browser(`2001:db8:${from + 1}::1`)
      const { challenge } = (await thief.signIn('factored')).body
      for (let guess = 0; guess < 3; guess += 1) {
        statuses.push((await thief.send('POST', '/session', { challenge, code: wrong })).status)
      }
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(5)
    expect(statuses.slice(5).every((status) => status === 429)).toBe(true)
    // Nor where its owner signed in.
    const again = (await owner.send('POST', '/session/step-up', { code: wrong })).status
    expect(again).toBe(429)
    const [told] = await ask<{ count: number }>(
      `select count(*)::integer as count from akashi_security.security_events
       where event_type = 'account_locked' and event_details ->> 'scope' = 'second factor' and user_id = $1`,
      [owner.id],
    )
    expect(told?.count).toBe(1)
  })

  it('is not passed by changing the password', async () => {
    const owner = await person('stepping')
    const { id } = await enrol(owner)
    await ask(
      `update akashi_auth.user_sessions set authenticated_at = now() - interval '1 hour' where user_id = $1`,
      [owner.id],
    )
    const next = `plum-${randomBytes(9).toString('base64url')}`
    expect((await owner.send('PUT', '/me/password', { current: PASSWORD, next })).status).toBe(403)
    expect((await owner.send('POST', '/session/step-up', { password: PASSWORD })).status).toBe(400)
    expect((await owner.send('DELETE', `/me/mfa/${id}`)).status).toBe(403)
  })

  it('is not confirmed by a password that was changed lately', async () => {
    const owner = await person('changing')
    const before = 'select authenticated_at::text as at from akashi_auth.user_sessions where user_id = $1'
    const [first] = await ask<{ at: string }>(before, [owner.id])
    const next = `plum-${randomBytes(9).toString('base64url')}`
    expect((await owner.send('PUT', '/me/password', { current: PASSWORD, next })).status).toBe(204)
    expect(await ask(before, [owner.id])).toEqual([first])
  })
})

describe('an address', () => {
  it('earns trust by a sign-in that was completed, for its network', async () => {
    await setPolicy('lockout.account_threshold', '5')
    await server.user('travelling')
    const home = new Browser('2001:db8:aaaa:1::1')
    expect((await home.signIn('travelling')).status).toBe(200)
    for (let from = 0; from < 6; from += 1) {
      await new Browser(`198.51.100.${from + 1}`).signIn('travelling', 'wrong wrong wrong')
    }
    expect((await new Browser('198.51.100.77').signIn('travelling')).status).toBe(429)
    expect((await new Browser('2001:db8:aaaa:1:ffff::9').signIn('travelling')).status).toBe(200)
    await setPolicy('lockout.account_threshold', '100')
  })

  it.each([
    ['203.0.113.70:52345', '203.0.113.70'],
    ['[2001:db8::7]:443', '2001:db8::7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['unknown', null],
    ['_hidden', null],
  ])('is read from %s', async (forwarded, address) => {
    const name = `u${randomBytes(6).toString('hex')}`
    const id = await server.user(name)
    expect((await new Browser(forwarded).signIn(name)).status).toBe(200)
    expect(
      await ask('select host(ip_address) as address from akashi_auth.user_sessions where user_id = $1', [id]),
    ).toEqual([{ address }])
  })
})

describe('an API key', () => {
  it('does not prolong itself, and ends with the key that it came from', async () => {
    const owner = await person('keyed')
    const made = (await owner.send('POST', '/api-keys', { name: 'ci' })).body
    const ends = async (id: string) =>
      (
        await ask<{ at: string }>('select expires_at::text as at from akashi_auth.api_keys where id = $1', [
          id,
        ])
      )[0]?.at
    const first = await ends(made.id)
    const bearer = (key: string) => ({ authorization: `Bearer ${key}`, 'x-akashi-request': '' })
    const thief = new Browser()
    const second = await thief.send('POST', `/api-keys/${made.id}/rotate`, {}, bearer(made.key))
    expect(second.status).toBe(201)
    expect(await ends(second.body.id)).toBe(first)
    const mine = (key: string) => thief.send('GET', '/permissions/mine', undefined, bearer(key))
    expect((await mine(second.body.key)).status).toBe(200)
    expect((await owner.send('DELETE', `/api-keys/${made.id}`)).status).toBe(204)
    expect((await mine(second.body.key)).status).toBe(401)
  })

  it('ends with a changed password, where its owner wants that', async () => {
    const owner = await person('leaked')
    const { key } = (await owner.send('POST', '/api-keys', { name: 'ci' })).body
    const next = `plum-${randomBytes(9).toString('base64url')}`
    const body = { current: PASSWORD, next, revokeApiKeys: true }
    expect((await owner.send('PUT', '/me/password', body)).status).toBe(204)
    const used = await new Browser().send('GET', '/permissions/mine', undefined, {
      authorization: `Bearer ${key}`,
    })
    expect(used.status).toBe(401)
  })
})

it('what concerns one person is stored by no cache', async () => {
  const browser = await person('private')
  for (const path of ['/me', '/session', '/me/sessions', '/chat/rooms', '/api-keys', '/permissions/mine']) {
    expect((await browser.send('GET', path)).headers.get('cache-control'), path).toBe('no-store')
  }
})

it('one person who changes passwords without end is told to wait, and keeps nobody from signing in', async () => {
  const busy = await person('busy')
  await server.user('patient')
  const change = () => busy.send('PUT', '/me/password', { current: PASSWORD, next: PASSWORD })
  const [statuses, entered] = await Promise.all([
    Promise.all(Array.from({ length: 40 }, async () => (await change()).status)),
    new Browser().signIn('patient'),
  ])
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(30)
  expect(entered.status).toBe(200)
})
