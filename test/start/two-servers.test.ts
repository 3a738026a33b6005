/** Signing in as a user meets it, at two server processes over one database and a real OpenID provider. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi, akashiServer, type Running } from '../../scripts/akashi-process.ts'
import { totpCode } from '../../src/identity/mfa/index.ts'
import { removeCluster } from '../../src/postgres/index.ts'
import {
  CLIENT,
  CLIENT_SECRET,
  startProvider,
  type TestProvider,
  throughProvider,
} from '../identity/provider.ts'
import { freePort } from '../support/local-server.ts'

const REVOKED_WITHIN_MS = 1_000
/** Each verb is a process that starts. */
const VERBS_TIMEOUT_MS = 120_000
const TOTP_STEP_MS = 30_000
const NEXT_PASSWORD = 'umbrella stapler mould'

let data = ''
let other = ''
let first: Running
let second: Running
let provider: TestProvider
let oneTimePassword = ''

/** A browser at a server, over real HTTP. */
class Browser {
  readonly cookies = new Map<string, string>()
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  async send(method: string, path: string, body?: object): Promise<Response> {
    const answer = await fetch(new URL(path, this.url), {
      method,
      redirect: 'manual',
      headers: {
        'x-akashi-request': '1',
        cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }

  async json<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await this.send(method, path, body)
    const text = await answer.text()
    expect(answer.status, text).toBe(200)
    return JSON.parse(text)
  }
}

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'akashi-two-'))
  other = await mkdtemp(join(tmpdir(), 'akashi-two-'))
  const port = String(await freePort())
  provider = await startProvider(`http://127.0.0.1:${port}/v1/oidc/callback`)
  const issuers = [{ name: 'id', issuer: provider.issuer, clientId: CLIENT, clientSecret: CLIENT_SECRET }]
  const env = { OIDC_ISSUERS: JSON.stringify(issuers) }
  first = await akashiServer(['up', '--data', data, '--port', port], { env })
  const { stdout } = await akashi(['url', '--role', 'server', '--data', data])
  second = await akashiServer(['serve', '--data', other, '--port', '0'], {
    env: {
      ...env,
      DATABASE_URL: stdout.trim(),
      KEYS_URL: pathToFileURL(join(data, 'keys')).href,
      OBJECT_STORE_URL: pathToFileURL(join(data, 'objects')).href,
    },
  })
})

afterAll(async () => {
  await second?.stop()
  await first?.stop()
  await provider?.stop()
  await removeCluster(data)
  await rm(data, { recursive: true, force: true })
  await rm(other, { recursive: true, force: true })
})

describe('the first administrator', () => {
  it('has a one-time password that is printed once, by the first server alone', async () => {
    const said = /^administrator: admin, one-time password \(shown only once\): (\S+)$/m
    oneTimePassword = said.exec(first.output())?.[1] ?? ''
    expect(oneTimePassword).toMatch(/^(\w{5}-){3}\w{5}$/)
    expect(second.output()).not.toMatch(said)
    const [ready] = first
      .output()
      .split('\n')
      .filter((line) => line.startsWith('ready '))
    expect(ready).toBe(`ready ${first.url}`)
  })

  it('changes it, enrols an authenticator and signs in at the other server with both', async () => {
    const browser = new Browser(first.url)
    expect(
      await browser.json('POST', '/v1/session', { login: 'admin', password: oneTimePassword }),
    ).toMatchObject({
      step: 'done',
    })
    expect((await browser.send('GET', '/v1/audit/logs')).status).toBe(403)
    const change = { current: oneTimePassword, next: NEXT_PASSWORD }
    expect((await browser.send('PUT', '/v1/me/password', change)).status).toBe(204)
    const { id, secret } = await browser.json<{ id: string; secret: string }>('POST', '/v1/me/mfa', {
      label: null,
    })
    const confirmed = await browser.send('POST', `/v1/me/mfa/${id}/confirm`, {
      code: totpCode(secret, new Date()),
    })
    expect(confirmed.status).toBe(200)
    expect((await browser.send('GET', '/v1/audit/logs')).status).toBe(200)

    const elsewhere = new Browser(second.url)
    const { challenge } = await elsewhere.json<{ challenge: string }>('POST', '/v1/session', {
      login: 'admin',
      password: NEXT_PASSWORD,
    })
    // The code of the next step counts already; the one that confirmed was used up.
    const code = totpCode(secret, new Date(Date.now() + TOTP_STEP_MS))
    await elsewhere.json('POST', '/v1/session', { challenge, code })
    expect(await elsewhere.json('GET', '/v1/session')).toMatchObject({
      username: 'admin',
      secondFactor: true,
    })

    const { sessions } = await browser.json<{
      sessions: { id: string; current: boolean; methods: string[] }[]
    }>('GET', '/v1/me/sessions')
    expect(sessions).toHaveLength(2)
    const there = sessions.find(({ current }) => !current)
    expect(there?.methods).toEqual(['pwd', 'otp'])
    expect((await browser.send('DELETE', `/v1/me/sessions/${there?.id}`)).status).toBe(204)
    await sleep(REVOKED_WITHIN_MS)
    expect((await elsewhere.send('GET', '/v1/session')).status).toBe(401)
    expect((await elsewhere.send('GET', '/v1/audit/logs')).status).toBe(401)
    expect((await browser.send('GET', '/v1/session')).status).toBe(200)
  })
})

describe('a user of an OpenID provider', () => {
  it('signs in, sees their sessions at both servers and revokes one', async () => {
    provider.account = {
      sub: 'hanako',
      claims: { email: 'hanako@id.example', email_verified: true, preferred_username: 'hanako' },
    }
    const browsers = [new Browser(first.url), new Browser(first.url)]
    for (const browser of browsers) {
      const start = await browser.send('GET', '/v1/oidc/id/start')
      const back = await throughProvider(start.headers.get('location') ?? '', provider.issuer)
      const end = await browser.send('GET', back)
      expect(end.headers.get('location')).toBe('/')
    }
    const [here, there] = browsers
    if (here === undefined || there === undefined) throw new Error('there are two')
    // A session is one of the database, so its cookie opens every server of it.
    const moved = new Browser(second.url)
    for (const [name, value] of there.cookies) moved.cookies.set(name, value)
    const { sessions } = await moved.json<{ sessions: { id: string; current: boolean }[] }>(
      'GET',
      '/v1/me/sessions',
    )
    expect(sessions).toHaveLength(2)
    const one = sessions.find(({ current }) => !current)
    expect((await moved.send('DELETE', `/v1/me/sessions/${one?.id}`)).status).toBe(204)
    await sleep(REVOKED_WITHIN_MS)
    expect((await here.send('GET', '/v1/me')).status).toBe(401)
    expect(await moved.json('GET', '/v1/me')).toMatchObject({ username: 'hanako', issuer: provider.issuer })
    expect((await moved.send('GET', '/v1/audit/logs')).status).toBe(403)
  })
})

describe('akashi users', () => {
  const verb = async (...args: string[]) => {
    const { status, stdout, stderr } = await akashi(['users', ...args, '--data', data, '--json'])
    // Whoever is changed is named first, by username and id.
    const changes = !args.includes('list') && !args.includes('create')
    expect(stderr).toMatch(changes ? /^user taro \([0-9a-f-]{36}\)\n$/ : /^$/)
    expect(status).toBe(0)
    return JSON.parse(stdout)
  }

  it('makes a user who signs in, and shuts them out at every server', {
    timeout: VERBS_TIMEOUT_MS,
  }, async () => {
    const { oneTimePassword: password, id } = await verb('create', 'taro', '--email', 'taro@example.com')
    const browser = new Browser(second.url)
    expect(await browser.json('POST', '/v1/session', { login: 'taro', password })).toEqual({
      step: 'done',
      userId: id,
    })
    expect((await verb('sessions', 'list', 'taro')).sessions).toHaveLength(1)
    expect(await verb('suspend', 'taro')).toEqual({ username: 'taro', ended: 1 })
    expect((await browser.send('GET', '/v1/session')).status).toBe(401)
    const listed = await verb('list', '--status', 'suspended')
    expect(listed.users).toMatchObject([{ username: 'taro', email: 'taro@example.com' }])
    await verb('reactivate', 'taro')
    const again = await verb('reset-password', 'taro', '--second-factor')
    expect((await browser.send('POST', '/v1/session', { login: 'taro', password })).status).toBe(401)
    await browser.json('POST', '/v1/session', { login: 'taro', password: again.oneTimePassword })
    expect(await verb('sessions', 'revoke', 'taro')).toEqual({ username: 'taro', ended: 1 })
    expect((await browser.send('GET', '/v1/session')).status).toBe(401)
  })

  it.each([
    [['suspend', 'nobody-here'], /user not found: nobody-here/],
    [['create', 'x', '--email', 'x@example.com'], /^hint: username: has 3 to 50 characters$/m],
    [['create', 'taro', '--email', 'other@example.com'], /exists|taken|already/],
    [['reset-password', 'hanako'], /has no password in Akashi/],
    [['list', '--status', 'asleep'], /asleep is not a status/],
  ])('refuses %j with a line and a hint', async (args, message) => {
    const { status, stderr } = await akashi(['users', ...args, '--data', data])
    expect(status).toBe(2)
    expect(stderr).toMatch(message)
  })
})
