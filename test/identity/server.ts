import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll } from 'vitest'
import { localBus, RoomSecrets } from '../../src/chat/index.ts'
import { fixedClock } from '../../src/foundation/index.ts'
import { buildApp, type HttpLimits, httpLimits, type Identity, type Services } from '../../src/http/index.ts'
import {
  createUser,
  openBreachedPasswords,
  openPasswords,
  openSealer,
  readLoginRules,
} from '../../src/identity/index.ts'
import { setPassword } from '../../src/identity/login/password-change.ts'
import { totpCode } from '../../src/identity/mfa/index.ts'
import {
  type Keyring,
  openKeyring,
  openPersonVault,
  openRoomVault,
  type PersonVault,
} from '../../src/keys/index.ts'
import { type Actor, anonymous, type Database, person } from '../../src/postgres/index.ts'
import { overSocket } from '../http/client.ts'
import { noFeed, noStore } from '../http/support.ts'
import type { TestDatabase } from '../support/index.ts'
import { tester } from '../support/tester.ts'

export const PASSWORD = 'kettle violet tram 9'

/** HTTP over a database of a test, with a keyring of its own. */
export interface TestServer {
  readonly identity: () => Identity
  readonly vault: () => PersonVault
  readonly keyring: () => Keyring
  readonly clock: ReturnType<typeof fixedClock>
  app(
    changes?: Partial<Identity>,
    services?: Partial<Services>,
    limits?: HttpLimits,
  ): ReturnType<typeof buildApp>
  /** A local user with {@link PASSWORD}; answers the id. */
  user(username: string, options?: { readonly oneTime?: boolean; readonly role?: string }): Promise<string>
  browser(app: ReturnType<typeof buildApp>, address?: string): Browser
}

/** Call it at the top of a test file. */
export function testServer(database: TestDatabase): TestServer {
  const app = database.open('app')
  const worker = database.open('worker')
  const securityAdmin = database.open('security_admin')
  const clock = fixedClock(new Date())
  let folder = ''
  let opened: PersonVault | undefined
  let keyring: Keyring | undefined
  const vault = () => {
    if (opened === undefined) throw new Error('the keyring is opened before the tests')
    return opened
  }
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-identity-'))
    keyring = await openKeyring(pathToFileURL(folder).href)
    opened = openPersonVault(keyring)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const passwords = openPasswords()
  const identity = (): Identity => ({
    login: {
      app,
      worker,
      vault: vault(),
      passwords,
      breached: openBreachedPasswords(),
      sealer: openSealer(vault()),
      clock,
    },
    issuers: [],
    publicUrl: undefined,
    rules: () => worker.transaction(tester, readLoginRules),
  })
  return {
    identity,
    vault,
    keyring: () => {
      if (keyring === undefined) throw new Error('the keyring is opened before the tests')
      return keyring
    },
    clock,
    app: (changes = {}, services = {}, limits = httpLimits) =>
      buildApp(servicesOf({ ...identity(), ...changes }, securityAdmin, keyring, services), limits),
    user: async (username, { oneTime = false, role } = {}) => {
      const hash = await passwords.hash(PASSWORD)
      const id = await worker.transaction(tester, async (session) => {
        const made = await createUser(session, vault(), { username, email: `${username}@example.com` })
        await setPassword(session, made, hash, oneTime)
        return made
      })
      if (role !== undefined) {
        await database.asSuperuser((session) =>
          session.query(
            'insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = $2',
            [id, role],
          ),
        )
      }
      return id
    },
    browser: (served, address) => new Browser(served, address),
  }
}

function servicesOf(
  identity: Identity,
  securityAdmin: Database,
  keyring: Keyring | undefined,
  changes: Partial<Services>,
): Services {
  if (keyring === undefined) throw new Error('the keyring is opened before the tests')
  return {
    version: '0.0.0-test',
    log: pino({ level: 'silent' }),
    readiness: async () => [],
    systemStatus: () => Promise.reject(new Error('not asked here')),
    securityAdmin,
    app: identity.login.app,
    worker: identity.login.worker,
    store: noStore,
    freeBytes: async () => null,
    scansFiles: true,
    scanner: undefined,
    chat: { bus: localBus(), feed: noFeed },
    roomSecrets: new RoomSecrets({
      app: identity.login.app,
      vault: openRoomVault(keyring),
      log: pino({ level: 'silent' }),
    }),
    personVault: identity.login.vault,
    keyring,
    metrics: new Registry(),
    makeReport: () => Promise.reject(new Error('there is no report here')),
    backups: {
      openForAuditCopies: () => Promise.reject(new Error('there is no backup here')),
      open: () => Promise.reject(new Error('there is no backup here')),
      point: () => Promise.reject(new Error('there is no backup here')),
      planPrune: () => Promise.reject(new Error('there is no backup here')),
      restoreTable: () => Promise.reject(new Error('there is no backup here')),
    },
    rotateKey: () => Promise.reject(new Error('no key is rotated here')),
    administer: () => Promise.reject(new Error('there is no administrator here')),
    diagnose: async () => ({ ok: true, score: 100, checks: [] }),
    identity,
    trustedProxies: ['127.0.0.1'],
    ...changes,
  }
}

type Served = ReturnType<typeof buildApp>

/** Keeps cookies as a browser does, and says of its requests what one says; elsewhere behind a proxy on this machine. */
export class Browser {
  readonly cookies = new Map<string, string>()
  readonly #app: Served
  readonly #address: string | undefined

  constructor(app: Served, address?: string) {
    this.#app = app
    this.#address = address
  }

  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    payload?: object,
    headers: Record<string, string> = {},
  ) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await overSocket(this.#app, {
      method,
      url,
      headers: {
        host: 'localhost:4180',
        'x-akashi-request': '1',
        ...(cookie === '' ? {} : { cookie }),
        ...(this.#address === undefined ? {} : { 'x-forwarded-for': this.#address }),
        ...headers,
      },
      ...(payload === undefined ? {} : { payload }),
    })
    for (const { name, value, expires } of answer.cookies) {
      if (expires !== undefined && expires.getTime() <= 0) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }

  signIn(login: string, password = PASSWORD) {
    return this.send('POST', '/v1/session', { login, password })
  }
}

/** Enrols an authenticator for whoever is signed in; answers its secret and the recovery codes. */
export async function enrol(
  browser: Browser,
  now: Date,
): Promise<{ readonly id: string; readonly secret: string; readonly codes: readonly string[] }> {
  const { id, secret } = (await browser.send('POST', '/v1/me/mfa', { label: 'phone' })).json()
  const confirmed = await browser.send('POST', `/v1/me/mfa/${id}/confirm`, { code: totpCode(secret, now) })
  return { id, secret, codes: confirmed.json().recoveryCodes }
}

/** An actor of a request from somewhere. */
export function from(clientIp: string, userId?: string): Actor {
  const origin = { clientIp, requestId: randomBytes(4).toString('hex') }
  return userId === undefined ? anonymous('test', origin) : person({ userId }, origin)
}
