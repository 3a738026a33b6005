import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import { httpLimits } from '../../../src/http/index.ts'
import { PASSWORD, testServer } from '../../identity/server.ts'
import { testDatabase } from '../../support/index.ts'

const CHROMIUM = '/usr/bin/chromium'
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Everybody comes from one address here, which is not what the limits are for. */
const MANY_A_MINUTE = 100_000

export const hasChromium = existsSync(CHROMIUM)

export interface Visitor {
  readonly page: Page
  readonly context: BrowserContext
  readonly userId: string
  /** What the page's console and its scripts complained of. */
  readonly complaints: string[]
}

export interface VisitOptions {
  readonly locale?: 'ja' | 'en'
  readonly scheme?: 'light' | 'dark'
  readonly phone?: boolean
}

/** A server with its database and pages, and browsers that look at it. Call it at the top of a test file. */
export function testSite() {
  const database = testDatabase()
  const server = testServer(database)
  const app = database.open('app')
  const worker = database.open('worker')
  const log = pino({ level: 'silent' })
  const bus = chat.localBus()
  const feed = chat.openFeed({ app, worker, bus, log })
  let http: ReturnType<typeof server.app> | undefined
  let browser: Browser | undefined
  let origin = ''
  const ids = new Map<string, string>()

  beforeAll(async () => {
    execFileSync(process.execPath, ['web/build.ts'], { cwd: ROOT, stdio: 'inherit' })
    http = server.app({}, { chat: { bus, feed } }, { ...httpLimits, rateMax: MANY_A_MINUTE })
    await http.listen({ host: '127.0.0.1', port: 0 })
    origin = `http://127.0.0.1:${(http.server.address() as AddressInfo).port}`
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'],
    })
  })
  afterAll(async () => {
    await browser?.close()
    await http?.close()
    await feed.close()
  })

  async function userId(username: string): Promise<string> {
    const known = ids.get(username)
    if (known !== undefined) return known
    const id = await server.user(username)
    ids.set(username, id)
    return id
  }

  return {
    database,
    app,
    bus,
    userId,
    origin: () => origin,
    actor: async (username: string) => ({ userId: await userId(username) }),
    async visit(
      username: string,
      { locale = 'en', scheme = 'light', phone = false }: VisitOptions = {},
    ): Promise<Visitor> {
      const id = await userId(username)
      if (browser === undefined || http === undefined) throw new Error('the site is opened before the tests')
      const context = await browser.newContext({
        locale: locale === 'ja' ? 'ja-JP' : 'en-GB',
        colorScheme: scheme,
        timezoneId: 'Asia/Tokyo',
        viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
        hasTouch: phone,
        isMobile: phone,
        reducedMotion: 'reduce',
      })
      const page = await context.newPage()
      const complaints: string[] = []
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('console', (message) => {
        if (
          message.type() === 'error' &&
          !/Failed to load resource|WebSocket connection/.test(message.text())
        )
          complaints.push(message.text())
      })
      page.on('dialog', (dialog) => {
        complaints.push(`a dialog: ${dialog.message()}`)
        void dialog.dismiss()
      })
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
      return { page, context, userId: id, complaints }
    },
  }
}

/** Serious and critical findings, one line each. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return await page.evaluate(async () => {
    const { axe: runner } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[]
        }>
      }
    }
    const { violations } = await runner.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))
  })
}
