/** The sample workspace on a server of its own, and browsers of its people. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { totpCode } from '../../src/identity/index.ts'
import { akashi, akashiUp } from '../akashi-process.ts'

export const CHROMIUM = '/usr/bin/chromium'
const PASSWORD = 'lantern gravel violin'
/** Milliseconds for what a page shows next. */
const WAIT_MS = 20_000

export interface Look {
  readonly locale: 'ja' | 'en'
  readonly scheme?: 'light' | 'dark'
  readonly phone?: boolean
  /** Pixels; by default those of a desktop or a phone. */
  readonly size?: { readonly width: number; readonly height: number }
}

export interface Workspace {
  readonly url: string
  /** A browser in which the person is signed in, at `path`. */
  visit(username: string, path: string, look: Look): Promise<Page>
  /** Has the ledger verified, which the status page shows. */
  verify(): Promise<void>
  /** A browser in which the first administrator is signed in, at `path`. */
  visitAsAdmin(path: string, look: Look): Promise<Page>
  /** A browser without a session. */
  page(look: Look): Promise<Page>
  close(): Promise<void>
}

export async function openWorkspace(): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-images-'))
  const scanner = await openScannerOfNothing()
  const server = await akashiUp(folder, { env: { CLAMD_URL: `clamd://127.0.0.1:${scanner.port}` } })
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-component-update'],
  })
  const workspace: Omit<Workspace, 'visit' | 'visitAsAdmin'> = {
    url: server.url,
    page: (look) => openPage(browser, look),
    async verify() {
      const { status, stderr } = await akashi(['verify', '--data', folder])
      if (status !== 0) throw new Error(`the ledger was not verified: ${stderr}`)
    },
    async close() {
      await browser.close()
      await server.stop()
      scanner.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    const { status, stdout, stderr } = await akashi(['sample', 'add', '--data', folder, '--json'])
    if (status !== 0) throw new Error(`the sample workspace was not added: ${stderr}`)
    const { people } = JSON.parse(stdout) as { people: { username: string; oneTimePassword: string }[] }
    const [, oneTimePassword = ''] =
      /one-time password \(shown only once\): (\S+)/.exec(server.output()) ?? []
    let cookies: Awaited<ReturnType<BrowserContext['cookies']>> | undefined
    const passwords = new Map(people.map(({ username, oneTimePassword }) => [username, oneTimePassword]))
    return {
      ...workspace,
      async visit(username, path, look) {
        const page = await openPage(browser, look)
        await page.goto(`${server.url}/sign-in`)
        const password = passwords.get(username) ?? ''
        await ask(page, 'POST', '/v1/session', { login: username, password })
        if (password !== PASSWORD) {
          await ask(page, 'PUT', '/v1/me/password', { current: password, next: PASSWORD })
          passwords.set(username, PASSWORD)
        }
        await page.goto(`${server.url}${path}`)
        return page
      },
      async visitAsAdmin(path, look) {
        const page = await openPage(browser, look)
        if (cookies === undefined) {
          await page.goto(`${server.url}/sign-in`)
          await setUpAdmin(page, oneTimePassword)
          cookies = await page.context().cookies()
        }
        await page.context().addCookies(cookies)
        await page.goto(`${server.url}${path}`)
        return page
      },
    }
  } catch (error) {
    await workspace.close()
    throw error
  }
}

async function openPage(browser: Browser, look: Look): Promise<Page> {
  const { locale, scheme = 'light', phone = false } = look
  const size = look.size ?? (phone ? { width: 390, height: 780 } : { width: 1280, height: 800 })
  const context = await browser.newContext({
    locale: locale === 'ja' ? 'ja-JP' : 'en-US',
    timezoneId: 'Asia/Tokyo',
    colorScheme: scheme,
    viewport: size,
    isMobile: phone,
    hasTouch: phone,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(WAIT_MS)
  return page
}

/** The password that is good for once is replaced, and the second factor that administrators need is added. */
async function setUpAdmin(page: Page, oneTimePassword: string): Promise<void> {
  await ask(page, 'POST', '/v1/session', { login: 'admin', password: oneTimePassword })
  await ask(page, 'PUT', '/v1/me/password', { current: oneTimePassword, next: PASSWORD })
  await ask(page, 'POST', '/v1/session', { login: 'admin', password: PASSWORD })
  const { id, secret } = await ask<{ id: string; secret: string }>(page, 'POST', '/v1/me/mfa', {
    label: 'phone',
  })
  await ask(page, 'POST', `/v1/me/mfa/${id}/confirm`, { code: totpCode(secret, new Date()) })
}

async function ask<Answer>(page: Page, method: string, path: string, body: unknown): Promise<Answer> {
  const { status, text } = await page.evaluate(
    async (request) => {
      const answer = await fetch(request.path, {
        method: request.method,
        headers: { 'content-type': 'application/json', 'x-akashi-request': '1' },
        body: JSON.stringify(request.body),
      })
      return { status: answer.status, text: await answer.text() }
    },
    { method, path, body },
  )
  if (status >= 400) throw new Error(`${method} ${path} was answered with ${status}`)
  return (text === '' ? undefined : JSON.parse(text)) as Answer
}

/** Speaks as ClamAV's daemon does and finds everything clean: the workspace's files are our own. */
async function openScannerOfNothing(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    // The stream of INSTREAM ends with a length of 0.
    socket.on('data', (piece) => {
      if (piece.subarray(-4).every((byte) => byte === 0)) socket.end('stream: OK\0')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the scanner has no port')
  return { port: address.port, close: () => server.close() }
}
