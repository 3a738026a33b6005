import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { totpCode } from '../../src/identity/mfa/index.ts'
import { listen } from '../http/support.ts'
import { PASSWORD, testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'
import { builtPages, expectAccessible, hasChromium, openChromium } from './support.ts'

const MARKUP = `<img src=x onerror="document.title='owned'">`
const database = testDatabase()
const server = testServer(database)
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
      ['record', 'My record'],
      ['nowhere', 'There is no such page'],
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
    await page.getByRole('button', { name: `Menu of ${MARKUP}` }).waitFor()
    expect(await page.title()).toContain('Profile')
    await page.getByLabel('Address of your picture').fill('https://example.com/me.png')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved').last().waitFor()
    expect(await page.locator('img[src^="https://"]').count()).toBe(0)
    await page.getByRole('link', { name: 'My record' }).click()
    await page
      .getByRole('button', { name: /Account changed/ })
      .first()
      .click()
    await page.getByRole('rowheader', { name: 'avatar_url' }).waitFor()
    expect(chromium.faults).toEqual([])
  })

  it('asks for credentials again before what is dangerous, then does it', async () => {
    await server.user('dangerous')
    const page = await signedIn('dangerous', '/account/security')
    const before = server.clock.now()
    server.clock.set(new Date(before.getTime() + 24 * 60 * 60_000))
    try {
      await page.getByRole('button', { name: 'Add an authenticator app' }).click()
      await page.getByLabel('Name of the device').fill('phone')
      await page.getByRole('button', { name: 'Continue' }).click()
      const dialog = page.getByRole('dialog', { name: 'Is it you?' })
      await dialog.getByLabel('Password', { exact: true }).fill('not the kettle tram')
      await dialog.getByRole('button', { name: 'Confirm' }).click()
      await dialog.getByText('The password is not right.').waitFor()
      await expectAccessible(page)
      server.clock.set(before)
      await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await dialog.getByRole('button', { name: 'Confirm' }).click()
      const key = page.getByLabel('Key', { exact: true })
      await page.getByRole('img', { name: 'QR code for the authenticator app' }).waitFor()
      const secret = String(await key.textContent()).replaceAll(/\s/g, '')
      await page.getByLabel('Enter the six digits').fill(totpCode(secret, server.clock.now()))
      await page.getByLabel('I have kept them in a safe place').check()
      await page.getByRole('button', { name: 'Done' }).click()
      await page.getByText('10 codes are left.').waitFor()
      await page.getByText('phone', { exact: true }).waitFor()
      await expectAccessible(page)
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
    await here.getByRole('button', { name: /^End the session of Chrome on Linux/ }).click()
    await here.getByText('You are signed in nowhere else.').waitFor()
    await there.getByRole('link', { name: 'Sessions' }).click()
    await there.getByText('You have been signed out.').waitFor()
    await there.getByLabel('Username or e-mail address').fill('spread')
    await there.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await there.getByRole('button', { name: 'Sign in', exact: true }).click()
    await there.getByRole('heading', { name: 'Sessions' }).waitFor()
  })

  it('records what was agreed to, and that it was taken back', async () => {
    const id = await server.user('agreeing')
    const page = await signedIn('agreeing', '/account/privacy')
    const news = page.getByRole('switch', { name: 'News' })
    await page.getByText('Not decided yet').first().waitFor()
    // The input is hidden below what is drawn for it.
    await news.press('Space')
    await page.getByText('News: agreed').waitFor()
    await news.press('Space')
    await page.getByText('News: withdrawn').waitFor()
    const decisions = await database.asSuperuser(async (session) => {
      const { rows } = await session.query<{ decision: string }>(
        'select decision from auth.privacy_consents where user_id = $1 order by created_at',
        [id],
      )
      return rows.map(({ decision }) => decision)
    })
    expect(decisions).toEqual(['granted', 'withdrawn'])
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
