import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import { httpLimits } from '../../../src/http/index.ts'
import { openRoomVault } from '../../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../../src/object-store/index.ts'
import { type Person, person } from '../../../src/postgres/index.ts'
import { PASSWORD, testServer } from '../../identity/server.ts'
import { testDatabase, tester } from '../../support/index.ts'
import { builtPages, openChromium } from '../support.ts'

/** Everybody comes from one address here, which is not what the limit is for. */
const MANY_REQUESTS = 100_000

export interface VisitOptions {
  readonly locale?: 'ja' | 'en'
  readonly scheme?: 'light' | 'dark'
  readonly phone?: boolean
  /** Lets the browser keep the pages for when there is no network. */
  readonly keepsPages?: boolean
  /** Prepares the browser before it loads anything. */
  readonly before?: (page: Page) => Promise<unknown>
}

export interface SiteOptions {
  /** False for a server without a scanner of files. */
  readonly scansFiles?: boolean
}

/** A server with its database and pages, and browsers that look at it. Call it at the top of a test file. */
export function testSite({ scansFiles = true }: SiteOptions = {}) {
  builtPages()
  const chromium = openChromium()
  const database = testDatabase()
  const server = testServer(database)
  const app = database.open('app')
  const worker = database.open('worker')
  const log = pino({ level: 'silent' })
  const bus = chat.localBus()
  // The keyring is opened before the tests, and asked in them.
  const vault = openRoomVault({
    ensure: (...given) => server.keyring().ensure(...given),
    secret: (keyId) => server.keyring().secret(keyId),
    destroy: (keyId) => server.keyring().destroy(keyId),
  })
  const secrets = new chat.RoomSecrets({ app, vault, log })
  const feed = chat.openFeed({ app, worker, bus, secrets, log })
  const ids = new Map<string, string>()
  let http: ReturnType<typeof server.app> | undefined
  let store: ObjectStore | undefined
  let folder = ''
  let origin = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-chat-'))
    store = await openObjectStore(pathToFileURL(folder).href)
    http = server.app(
      {},
      { chat: { bus, feed }, store, scansFiles },
      { ...httpLimits, rateMax: MANY_REQUESTS },
    )
    await http.listen({ host: '127.0.0.1', port: 0 })
    origin = `http://127.0.0.1:${(http.server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    await http?.close()
    await feed.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function actor(username: string): Promise<Person> {
    const userId = ids.get(username) ?? (await server.user(username))
    ids.set(username, userId)
    return person({ userId })
  }

  return {
    app,
    bus,
    secrets,
    actor,
    faults: chromium.faults,
    /** By which codes are made and compared. */
    clock: server.clock,
    page: chromium.page,
    origin: () => origin,
    /** What the worker does: decides about the files that were uploaded. */
    async inspect(): Promise<void> {
      if (store === undefined) throw new Error('the site is opened before the tests')
      const scanner: chat.Scanner = { scan: () => Promise.resolve({ clean: true }) }
      await chat.inspectUploads({ worker, store, scanner, signal: new AbortController().signal }, tester)
    },
    /** Messages `message 1` to `message <count>` of a room with one member, without a request for each. */
    many: (roomId: string, userId: string, count: number) =>
      database.asSuperuser(async (session) => {
        await session.query(
          `insert into akashi_chat.messages (id, room_id, user_id, sequence, content, message_type, security_classification, created_at, updated_at)
           select akashi_chat.message_id(t.at), $1, $2, 2 + i, 'message ' || i, 'text', r.security_classification, t.at, t.at
           from generate_series(1, $3::int) i, akashi_chat.rooms r,
             lateral (select date_trunc('milliseconds', now()) - ($3 - i) * interval '1 millisecond' as at) t
           where r.id = $1`,
          [roomId, userId, count],
        )
        await session.query(
          `update akashi_chat.room_sequences s set last_sequence = last_sequence + $2,
             last_message_at = (select max(m.created_at) from akashi_chat.messages m where m.room_id = $1) where room_id = $1`,
          [roomId, count],
        )
      }),
    /** Somebody who is signed in, at the chat. */
    async visit(username: string, options: VisitOptions = {}): Promise<Page> {
      const { locale = 'en', scheme = 'light', phone = false, keepsPages = false, before } = options
      await actor(username)
      const page = await chromium.page({
        locale: locale === 'ja' ? 'ja-JP' : 'en-GB',
        colorScheme: scheme,
        timezoneId: 'Asia/Tokyo',
        viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
        hasTouch: phone,
        isMobile: phone,
        reducedMotion: 'reduce',
        serviceWorkers: keepsPages ? 'allow' : 'block',
      })
      await before?.(page)
      await page.goto(`${origin}/sign-in`)
      await page.evaluate(
        async (credentials) => {
          await fetch('/v1/session', {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'x-akashi-request': '1' },
            body: JSON.stringify(credentials),
          })
        },
        { login: username, password: PASSWORD },
      )
      await page.goto(`${origin}/chat`)
      await page.locator('nav h2').first().waitFor({ state: 'attached' })
      return page
    },
  }
}
