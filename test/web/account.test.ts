import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { totpCode } from '../../src/identity/mfa/index.ts'
import { listen } from '../http/support.ts'
import { PASSWORD, testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { builtPages, expectAccessible, hasChromium, openChromium } from './support.ts'

const MARKUP = `<img src=x onerror="document.title='owned'">`
const database = testDatabase()
const server = testServer(database)
const ledger = testLedger(database.open('worker'), server.keyring)
const chromium = openChromium()
let app: ReturnType<typeof server.app>
let base = ''

builtPages()
beforeAll(async () => {
  app = server.app()
  base = `http://127.0.0.1:${await listen(app)}`
})
afterAll(() => app.close())

async function signedIn(username: string, path: string, scheme: 'light' | 'dark' = 'light'): Promise<Page> {
  const page = await chromium.page({ colorScheme: scheme })
  await page.goto(`${base}/sign-in?next=${encodeURIComponent(path)}`)
  await page.getByLabel('Username or e-mail address').fill(username)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.waitForURL(`${base}${path}`)
  return page
}

describe.skipIf(!hasChromium)('the account', { timeout: 120_000 }, () => {
  it.each(['light', 'dark'] as const)('has pages without serious findings of axe (%s)', async (scheme) => {
    await server.user(`visitor-${scheme}`)
    const page = await signedIn(`visitor-${scheme}`, '/account/profile', scheme)
    for (const [path, heading] of [
      ['profile', 'Profile'],
      ['security', 'Security'],
      ['sessions', 'Sessions'],
      ['privacy', 'Privacy'],
      ['activity', 'What is recorded about me'],
      ['nowhere', 'Page not found'],
    ] as const) {
      await page.goto(`${base}/account/${path}`)
      await page.getByRole('heading', { name: heading, level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
      await expectAccessible(page)
    }
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await expectAccessible(page)
    expect(chromium.faults).toEqual([])
  })

  it('keeps what one changes of oneself, and shows it as text', async () => {
    await server.user('changing')
    const page = await signedIn('changing', '/account/profile')
    await page.getByLabel('Display name').fill(MARKUP)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: `Account menu of ${MARKUP}` }).waitFor()
    expect(await page.title()).toContain('Profile')
    await page.getByLabel('Profile picture').setInputFiles({
      name: 'me.png',
      mimeType: 'image/png',
      buffer: Buffer.from(MARKUP),
    })
    await page
      .getByRole('alert')
      .getByText(/isn’t a picture/)
      .waitFor()
    await page.getByLabel('Profile picture').setInputFiles({
      name: 'me.png',
      mimeType: 'image/png',
      buffer: await sharp({ create: { width: 90, height: 60, channels: 3, background: 'teal' } })
        .png()
        .toBuffer(),
    })
    await page.getByText('Picture saved.').waitFor()
    await page.locator('form img[src^="/v1/chat/avatars/"]').waitFor()
    await page.locator('header img[src^="/v1/chat/avatars/"]').waitFor()
    await expectAccessible(page)
    await page.getByRole('link', { name: 'My record', exact: true }).click()
    await page.getByRole('button', { name: /Changed your account: picture/ }).click()
    await page.getByRole('rowheader', { name: 'picture' }).waitFor()
    expect(chromium.faults).toEqual([])
  })

  it('tells what is recorded, and proves it', async () => {
    const id = await server.user('recorded')
    const page = await signedIn('recorded', '/account/privacy')
    await page.getByRole('switch', { name: 'Product news' }).press('Space')
    await page.getByText('Product news: agreed').waitFor()
    await database.asSuperuser((session) =>
      session.query(`update akashi_auth.users set account_status = 'suspended' where id = $1`, [id]),
    )
    await database.asSuperuser((session) =>
      session.query(`update akashi_auth.users set account_status = 'active' where id = $1`, [id]),
    )
    await ledger.seal()
    await page.goto(`${base}/account/activity`)
    await page.getByRole('button', { name: 'Agreed to: Product news' }).click()
    await page.getByRole('rowheader', { name: 'decision' }).waitFor()
    await page.getByRole('button', { name: 'Verify this entry' }).click()
    await page.getByRole('status').getByText('Proven', { exact: true }).waitFor()
    await expectAccessible(page)
    await page.getByRole('combobox', { name: 'About' }).click()
    await page.getByRole('option', { name: 'Session', exact: true }).click()
    await page.getByRole('button', { name: /Signed in with Chrome \(Linux\)/ }).waitFor()
    expect(await page.getByText('Agreed to').count()).toBe(0)
    expect(page.url()).toContain('about=akashi_auth.user_sessions')
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page
        .getByRole('button', { name: 'Download' })
        .click()
        .then(() => page.getByRole('menuitem', { name: 'JSON' }).click()),
    ])
    const saved = JSON.parse(await readFile(await file.path(), 'utf8')) as readonly {
      readonly what: string
    }[]
    expect(saved.map(({ what }) => what)).toContain('Signed in with Chrome (Linux)')
    await page.goto(`${base}/account/activity?by=others&about=akashi_auth.users`)
    await page
      .getByRole('button', { name: /Your account was changed: status/ })
      .first()
      .waitFor()
    expect(await page.getByRole('button', { name: 'Verify this entry' }).count()).toBe(0)
    expect(chromium.faults).toEqual([])
  })

  it('asks for credentials again before what is dangerous, then does it', async () => {
    await server.user('dangerous')
    const page = await signedIn('dangerous', '/account/security')
    const before = server.clock.now()
    server.clock.set(new Date(before.getTime() + 24 * 60 * 60_000))
    try {
      await page.getByRole('button', { name: 'Add authenticator app' }).click()
      await page.getByLabel('Device name').fill('phone')
      await page.getByRole('button', { name: 'Continue' }).click()
      const dialog = page.getByRole('dialog', { name: 'Confirm it’s you' })
      await dialog.getByLabel('Password', { exact: true }).fill('not the kettle tram')
      await dialog.getByRole('button', { name: 'Confirm' }).click()
      await dialog.getByText('Incorrect password.').waitFor()
      await expectAccessible(page)
      server.clock.set(before)
      await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await dialog.getByRole('button', { name: 'Confirm' }).click()
      const key = page.getByLabel('Key', { exact: true })
      await page.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor()
      const secret = String(await key.textContent()).replaceAll(/\s/g, '')
      await page.getByLabel('Enter the 6-digit code').fill(totpCode(secret, server.clock.now()))
      await page.getByLabel('I’ve saved them in a safe place').check()
      await page.getByRole('button', { name: 'Done' }).click()
      await page.getByText('10 codes left').waitFor()
      await page.getByText('phone', { exact: true }).waitFor()
      await expectAccessible(page)
    } finally {
      server.clock.set(before)
    }
  })

  it('asks for credentials above the dialog that needs them, one Escape for each', async () => {
    await server.user('above')
    const page = await signedIn('above', '/account/security')
    const before = server.clock.now()
    await page.getByRole('button', { name: 'Add authenticator app' }).click()
    await page.getByRole('button', { name: 'Continue' }).click()
    const key = page.getByLabel('Key', { exact: true })
    await page.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor()
    const secret = String(await key.textContent()).replaceAll(/\s/g, '')
    await page.getByLabel('Enter the 6-digit code').fill(totpCode(secret, server.clock.now()))
    await page.getByLabel('I’ve saved them in a safe place').check()
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByText('10 codes left').waitFor()
    server.clock.set(new Date(before.getTime() + 60 * 60_000))
    try {
      const ask = page.getByRole('dialog', { name: 'Generate new recovery codes?' })
      const confirm = page.getByRole('dialog', { name: 'Confirm it’s you' })
      await page.getByRole('button', { name: 'Generate new codes' }).click()
      await ask.getByRole('button', { name: 'Generate new codes' }).click()
      await confirm.waitFor()
      await page.keyboard.press('Escape')
      await confirm.waitFor({ state: 'detached' })
      await ask.waitFor()
      // Nobody needs to be told what they did themselves.
      expect(await page.getByRole('alert').count()).toBe(0)
      await ask.getByRole('button', { name: 'Generate new codes' }).click()
      // Clicking needs it to be on top.
      const code = confirm.getByLabel('6-digit code')
      await code.click()
      // Each code works once, so the next has a time of its own; the session is renewed by the database's.
      server.clock.set(new Date(before.getTime() + 30_000))
      await code.fill(totpCode(secret, server.clock.now()))
      await confirm.getByRole('button', { name: 'Confirm' }).click()
      await page.getByText('Save your recovery codes').waitFor()
      expect(await page.getByRole('dialog').getByRole('listitem').count()).toBe(10)
      // Shown once: nothing but the button closes them.
      await page.keyboard.press('Escape')
      await page.getByLabel('I’ve saved them in a safe place').check()
      await page.getByRole('button', { name: 'Done' }).click()
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    } finally {
      server.clock.set(before)
    }
  })

  it('shows where one is signed in, and throws out who is not wanted', async () => {
    await server.user('spread')
    const here = await signedIn('spread', '/account/sessions')
    const there = await signedIn('spread', '/account/profile')
    await here.reload()
    await here.getByText('This browser').waitFor()
    await here.getByRole('button', { name: 'End session: Chrome on Linux' }).click()
    await here.getByText('You’re not signed in anywhere else.').waitFor()
    await there.getByRole('link', { name: 'Sessions' }).click()
    await there.getByText('You’ve been signed out.').waitFor()
    await there.getByLabel('Username or e-mail address').fill('spread')
    await there.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await there.getByRole('button', { name: 'Sign in', exact: true }).click()
    await there.getByRole('heading', { name: 'Sessions' }).waitFor()
  })

  it('records what was agreed to, and that it was taken back', async () => {
    const id = await server.user('agreeing')
    const page = await signedIn('agreeing', '/account/privacy')
    const news = page.getByRole('switch', { name: 'Product news' })
    await page.getByText('Not decided yet').first().waitFor()
    // The input is hidden below what is drawn for it.
    await news.press('Space')
    await page.getByText('Product news: agreed').waitFor()
    await news.press('Space')
    await page.getByText('Product news: withdrawn').waitFor()
    const decisions = await database.asSuperuser(async (session) => {
      const { rows } = await session.query<{ decision: string }>(
        'select decision from akashi_auth.privacy_consents where user_id = $1 order by created_at',
        [id],
      )
      return rows.map(({ decision }) => decision)
    })
    expect(decisions).toEqual(['granted', 'withdrawn'])
  })

  it('has the language and the theme that one chose on another device', async () => {
    await server.user('moving')
    const page = await signedIn('moving', '/account/profile')
    const saved = () => page.waitForResponse((response) => response.request().method() === 'PATCH')
    await Promise.all([saved(), page.getByText('Dark', { exact: true }).click()])
    await Promise.all([saved(), page.getByText('日本語', { exact: true }).click()])
    await page.getByRole('heading', { name: 'プロフィール', level: 1 }).waitFor()
    const other = await signedIn('moving', '/account/profile')
    await other.getByRole('heading', { name: 'プロフィール', level: 1 }).waitFor()
    await expect.poll(() => other.locator('html').getAttribute('data-mantine-color-scheme')).toBe('dark')
  })

  it('is found by keyboard alone', async () => {
    await server.user('typing')
    const page = await signedIn('typing', '/chat')
    await page.getByRole('button', { name: 'Menu of typing' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('a')
    await page.getByLabel('Display name').focus()
    await page.keyboard.type('?gc')
    expect(await page.getByLabel('Display name').inputValue()).toBe('?gc')
    expect(await page.getByRole('dialog').count()).toBe(0)
  })
})
