import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createFirstAdministrator } from '../../src/identity/index.ts'
import { totpCode } from '../../src/identity/mfa/index.ts'
import { listen } from '../http/support.ts'
import { enrol, PASSWORD, testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'
import { builtPages, expectAccessible, hasChromium, openChromium } from './support.ts'

const NEXT = 'umbrella stapler mould'
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

/** Moves time forward where codes are compared, so that each has a step of its own. */
function codeOf(secret: string): string {
  server.clock.set(new Date(server.clock.now().getTime() + 30_000))
  return totpCode(secret, server.clock.now())
}

async function fill(page: Awaited<ReturnType<typeof chromium.page>>, login: string, password = PASSWORD) {
  await page.getByLabel('Username or e-mail address').fill(login)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

describe.skipIf(!hasChromium)('signing in', { timeout: 120_000 }, () => {
  it('leads to where one wanted to go, and nothing on the way breaks the policy for content', async () => {
    await server.user('hanako')
    const page = await chromium.page()
    await page.goto(`${base}/account/sessions`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await expectAccessible(page)
    await fill(page, 'hanako')
    await page.getByRole('heading', { name: 'Sessions' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/account/sessions')
    const asked = await page.evaluate<string[]>(
      "performance.getEntriesByType('resource').map(({ name }) => name)",
    )
    expect(asked.filter((address) => new URL(address).origin !== base)).toEqual([])
    expect(chromium.faults).toEqual([])
  })

  it('does not follow an address that leads elsewhere', async () => {
    const page = await chromium.page()
    await page.goto(`${base}/sign-in?next=//example.com/`)
    await fill(page, 'hanako')
    await page.waitForURL(`${base}/chat**`)
  })

  it('says kindly that something is wrong, and when too much was', async () => {
    await server.user('guessed')
    const page = await chromium.page()
    await page.goto(base)
    await fill(page, 'guessed', 'not the kettle tram')
    await page.getByText('Incorrect username or password.').waitFor()
    expect(await page.getByLabel('Password', { exact: true }).inputValue()).toBe('')
    await expectAccessible(page)
    for (let tries = 0; tries < 8; tries += 1) {
      await page.getByLabel('Password', { exact: true }).fill('not the kettle tram')
      await Promise.all([
        page.waitForResponse('**/v1/session'),
        page.getByRole('button', { name: 'Sign in', exact: true }).click(),
      ])
    }
    await page.getByText(/Too many failed attempts. Try again in \d+ minute/).waitFor()
  })

  it('asks for the code of an authenticator, or a recovery code in its place', async () => {
    await server.user('careful')
    const helper = server.browser(app)
    await helper.signIn('careful')
    const { secret, codes } = await enrol(helper, server.clock.now())
    const page = await chromium.page()
    await page.goto(base)
    await fill(page, 'careful')
    const field = page.getByLabel('6-digit code')
    await field.fill('000000')
    await page.getByText('This code is incorrect').waitFor()
    await expectAccessible(page)
    // Full-width digits, as an input method writes them.
    await field.fill(
      codeOf(secret).replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
    )
    await page.getByRole('button', { name: 'Menu of careful' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByText('You’ve signed out.').waitFor()
    await fill(page, 'careful')
    await page.getByRole('button', { name: 'Use a recovery code' }).click()
    await page.getByLabel('Recovery code').fill(codes[0] ?? '')
    await page.getByRole('button', { name: 'Verify' }).click()
    await page.getByRole('button', { name: 'Menu of careful' }).waitFor()
  })

  it('of an administrator with a one-time password sets up password and authenticator first', async () => {
    const first = await createFirstAdministrator(server.identity().login)
    const page = await chromium.page()
    await page.goto(base)
    await fill(page, 'admin', first?.password)
    await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
    await expectAccessible(page)
    await page.goto(`${base}/account/activity`)
    await page.getByLabel('One-time password').fill(first?.password ?? '')
    await page.getByLabel('New password', { exact: true }).fill('short')
    await page.getByLabel('Confirm new password').fill('short')
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByText('Too short.').waitFor()
    await page.getByLabel('New password', { exact: true }).fill(NEXT)
    await page.getByLabel('Confirm new password').fill(NEXT)
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor()
    await expectAccessible(page)
    const secret = String(await page.getByLabel('Key', { exact: true }).textContent()).replaceAll(/\s/g, '')
    await page.getByLabel('Enter the 6-digit code').fill(codeOf(secret))
    await page.getByText('Save your recovery codes').waitFor()
    await expectAccessible(page)
    expect(await page.getByRole('listitem').count()).toBe(10)
    await page.getByLabel('I’ve saved them in a safe place').check()
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('heading', { name: 'What is recorded about me' }).waitFor()
    expect(chromium.faults).toEqual([])
  })

  it('with a passkey is offered, alone and as a second factor, and a passkey can be taken away', async () => {
    await server.user('keyed')
    // No passkey is for an address.
    const site = base.replace('127.0.0.1', 'localhost')
    const page = await chromium.page()
    const browser = await page.context().newCDPSession(page)
    await browser.send('WebAuthn.enable')
    await browser.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    await page.goto(`${site}/sign-in?next=/account/security`)
    await expectAccessible(page)
    await fill(page, 'keyed')
    await page.getByText('No passkey').waitFor()
    await page.getByRole('button', { name: 'Add passkey' }).click()
    await page.getByLabel('Device name (optional)').fill('laptop')
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Create passkey' }).click()
    await page.getByText('Save your recovery codes').waitFor()
    await page.getByLabel('I’ve saved them in a safe place').check()
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByText('laptop', { exact: true }).waitFor()
    await expectAccessible(page)
    // The same authenticator is not added twice.
    await page.getByRole('button', { name: 'Add passkey' }).click()
    await page.getByRole('button', { name: 'Create passkey' }).click()
    await page.getByText('This device already has a passkey').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    const signOut = async () => {
      await page.getByRole('button', { name: 'Menu of keyed' }).click()
      await page.getByRole('menuitem', { name: 'Sign out' }).click()
      await page.getByText('You’ve signed out.').waitFor()
    }
    await signOut()
    // Alone.
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByRole('button', { name: 'Menu of keyed' }).waitFor()
    await signOut()
    // In place of a code.
    await fill(page, 'keyed')
    await page.getByRole('heading', { name: 'Two-step verification' }).waitFor()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByRole('button', { name: 'Menu of keyed' }).waitFor()
    // To confirm, once the sign-in is too long ago.
    await database.asSuperuser((session) =>
      session.query("update akashi_auth.user_sessions set authenticated_at = now() - interval '1 day'"),
    )
    await page.goto(`${site}/account/security`)
    await page.getByRole('button', { name: 'Remove laptop' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    const confirm = page.getByRole('dialog', { name: 'Confirm it’s you' })
    await confirm.waitFor()
    await expectAccessible(page)
    await confirm.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('Passkey removed.').waitFor()
    await page.getByText('No passkey').waitFor()
    await signOut()
    // The authenticator still has it, and it opens nothing.
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('This passkey doesn’t sign in here.').waitFor()
    expect(chromium.faults).toEqual([])
    // Where there can be none, none is offered.
    await page.goto(`${base}/sign-in`)
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Use a passkey' }).count()).toBe(0)
  })

  it('speaks the language that was chosen, at once and later', async () => {
    const page = await chromium.page({ locale: 'ja-JP' })
    await page.goto(base)
    await page.getByRole('heading', { name: 'サインイン' }).waitFor()
    expect(await page.locator('html').getAttribute('lang')).toBe('ja')
    const loads: string[] = []
    page.on('load', () => loads.push(page.url()))
    await page.getByRole('button', { name: '言語' }).click()
    await page.getByRole('menuitemradio', { name: 'English' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(loads).toEqual([])
    expect(await page.locator('html').getAttribute('lang')).toBe('en')
    await page.reload()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })

  it('says that the server is away, and goes on when it is back', async () => {
    const page = await chromium.page()
    await page.goto(base)
    await page.getByLabel('Username or e-mail address').waitFor()
    await page.context().setOffline(true)
    await fill(page, 'hanako')
    await page.getByText('Can’t reach the server.').waitFor()
    await page.context().setOffline(false)
    await fill(page, 'hanako')
    await page.getByRole('button', { name: 'Menu of hanako' }).waitFor()
  })
})
