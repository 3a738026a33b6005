import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { akashiUp, type Running } from '../../../scripts/akashi-process.ts'
import { totpCode } from '../../../src/identity/mfa/index.ts'
import { builtPages, openChromium } from '../support.ts'

/** Milliseconds for a cluster, a server and its people on a busy machine. */
const SETUP_MS = 300_000
const PASSWORD = 'lantern gravel violin'

/** The people who look at the console, each with the role that they hold beside that of everybody. */
export const people = {
  admin: 'sys_admin',
  security: 'security_admin',
  auditor: 'sys_auditor',
  plain: null,
} as const
export type Who = keyof typeof people

/** Keeps the cookies of one person. */
class Caller {
  cookies: readonly string[] = []
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  async send<Body>(method: string, path: string, body?: object): Promise<Body> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        'x-akashi-request': '1',
        cookie: this.cookies.join('; '),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const set = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? '')
    if (set.length > 0) this.cookies = set
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as Body
  }

  /** Signs in with a password that is good for once, and sets up what the account has to have. */
  async begin(login: string, password: string): Promise<void> {
    await this.send('POST', '/v1/session', { login, password })
    await this.send('PUT', '/v1/me/password', { current: password, next: PASSWORD })
    await this.send('POST', '/v1/session', { login, password: PASSWORD })
    const { pending } = await this.send<{ pending: string | null }>('GET', '/v1/session')
    if (pending === null) return
    const { id, secret } = await this.send<{ id: string; secret: string }>('POST', '/v1/me/mfa', {
      label: 'phone',
    })
    await this.send('POST', `/v1/me/mfa/${id}/confirm`, { code: totpCode(secret, new Date()) })
  }
}

/** A whole server as `akashi up` runs it, people of every kind, and browsers in which they are signed in. */
export function consoleSite() {
  builtPages()
  const chromium = openChromium()
  const callers = new Map<Who, Caller>()
  let folder = ''
  let server: Running | undefined

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-console-'))
    server = await akashiUp(folder)
    const { url } = server
    const admin = new Caller(url)
    const [, password = ''] = /one-time password \(shown only once\): (\S+)/.exec(server.output()) ?? []
    await admin.begin('admin', password)
    callers.set('admin', admin)
    for (const who of ['security', 'auditor', 'plain'] as const) {
      const made = await admin.send<{ id: string; oneTimePassword: string }>('POST', '/v1/users', {
        username: who,
        email: `${who}@example.com`,
      })
      const role = people[who]
      if (role !== null) await admin.send('PUT', `/v1/users/${made.id}/roles/${role}`, {})
      const caller = new Caller(url)
      await caller.begin(who, made.oneTimePassword)
      callers.set(who, caller)
    }
    await admin.send('POST', '/v1/backups', { kind: 'full' })
  }, SETUP_MS)
  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const callerOf = (who: Who): Caller => {
    const caller = callers.get(who)
    if (caller === undefined) throw new Error('the server is started before the tests')
    return caller
  }
  return {
    faults: chromium.faults,
    url: () => server?.url ?? '',
    callerOf,
    /** A browser of somebody without an account. */
    async visitUnknown(address: string, options: BrowserContextOptions = {}): Promise<Page> {
      const page = await chromium.page({ viewport: { width: 1280, height: 900 }, ...options })
      await page.goto(address)
      return page
    },
    async visit(who: Who, path: string, options: BrowserContextOptions = {}): Promise<Page> {
      const page = await chromium.page({
        reducedMotion: 'reduce',
        viewport: { width: 1280, height: 900 },
        ...options,
      })
      const { host } = new URL(server?.url ?? '')
      await page.context().addCookies(
        callerOf(who).cookies.map((cookie) => {
          const [name = '', ...value] = cookie.split('=')
          // The prefix of the cookie's name asks for a secure address, which this machine is.
          return { name, value: value.join('='), url: `https://${host}` }
        }),
      )
      await page.goto(`${server?.url}${path}`)
      return page
    },
  }
}
