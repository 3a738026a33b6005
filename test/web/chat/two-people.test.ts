import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import { totpCode } from '../../../src/identity/mfa/index.ts'
import { PASSWORD } from '../../identity/server.ts'
import { expectAccessible, hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
let aoi: Page
let ken: Page
let roomId = ''
let authenticator = ''

const composer = (page: Page) => page.locator('form textarea').last()
const said = (page: Page, text: string) => page.locator('article', { hasText: text }).first()

async function write(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await composer(page).press('Enter')
}

async function act(page: Page, text: string, action: string): Promise<void> {
  // One that is still being sent has no actions.
  const message = page.locator('article[data-message]', { hasText: text }).first()
  await message.hover()
  await message.getByRole('button', { name: action, exact: true }).click()
}

async function signInWithCode(page: Page, secret: string): Promise<void> {
  await page.getByLabel('Username or e-mail address').fill('ken')
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  // Each code works once, so the next has a time of its own.
  site.clock.set(new Date(site.clock.now().getTime() + 30_000))
  await page.getByLabel('6-digit code').fill(totpCode(secret, site.clock.now()))
  await page.getByRole('button', { name: 'Menu of ken' }).waitFor()
}

/** What people wrote, from the top; what is still on its way included. */
const texts = (page: Page) =>
  page
    .locator('article')
    .evaluateAll((all) => all.flatMap((one) => one.querySelector('[dir="auto"]')?.textContent ?? []))

/** Whether all of a message can be seen, not only whether it is drawn. */
const inView = (page: Page, text: string) =>
  page.evaluate<boolean>(
    `(() => {
      const seen = document.querySelector('section[tabindex="0"]').getBoundingClientRect()
      const texts = [...document.querySelectorAll('article [dir="auto"]')]
      const place = texts.find((one) => one.textContent === ${JSON.stringify(text)})?.getBoundingClientRect()
      return place !== undefined && place.top >= seen.top && place.bottom <= seen.bottom
    })()`,
  )

describe.skipIf(!hasChromium)('two people in two browsers', () => {
  beforeAll(async () => {
    await site.actor('ken')
    aoi = await site.visit('aoi', { locale: 'ja' })
    ken = await site.visit('ken', { locale: 'en' })
  })
  afterEach(() => expect(site.faults).toEqual([]))

  it('sign in with the code of an authenticator that one of them added', async () => {
    await ken.goto(`${site.origin()}/account/security`)
    await ken.getByRole('button', { name: 'Add authenticator app' }).click()
    await ken.getByLabel('Device name').fill('phone')
    await ken.getByRole('button', { name: 'Continue' }).click()
    await ken.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor()
    const secret = String(await ken.getByLabel('Key', { exact: true }).textContent()).replaceAll(/\s/g, '')
    await ken.getByLabel('Enter the 6-digit code').fill(totpCode(secret, site.clock.now()))

    await ken.getByLabel('I’ve saved them in a safe place').check()
    await ken.getByRole('button', { name: 'Done' }).click()
    await ken.getByText('10 codes left').waitFor()
    await ken.getByRole('button', { name: 'Menu of ken' }).click()
    await ken.getByRole('menuitem', { name: 'Sign out' }).click()
    await ken.getByText('You’ve signed out.').waitFor()
    authenticator = secret
    await signInWithCode(ken, secret)
  })

  it('make a room, invite, and come in', async () => {
    await expectAccessible(aoi)
    await aoi.getByRole('button', { name: 'ルームを作成' }).click()
    await aoi.getByLabel('ルーム名').fill('開発チーム')
    await aoi.getByRole('radio', { name: '非公開', exact: false }).check()
    await expectAccessible(aoi)
    await aoi.getByRole('button', { name: '作成', exact: true }).click()
    await aoi.getByText('まだメッセージはありません').waitFor()
    roomId = new URL(aoi.url()).pathname.split('/').at(-1) ?? ''
    await aoi.getByRole('button', { name: 'ルームの詳細' }).click()
    await aoi.getByRole('tab', { name: 'メンバー' }).click()
    await aoi.getByRole('button', { name: 'メンバーを招待' }).click()
    await aoi.getByPlaceholder('名前で検索').fill('ken')
    await aoi.getByRole('button', { name: 'ken' }).click()
    await aoi.getByText('招待中').waitFor()
    await aoi.keyboard.press('Escape')

    await ken.getByRole('link', { name: /Notifications/ }).click()
    await ken.getByText('aoi invited you to 開発チーム').waitFor()
    await expectAccessible(ken)
    await ken.getByRole('button', { name: 'Join' }).click()
    await ken.getByText('No messages yet').waitFor()
  })

  it('talk both ways, in both languages', async () => {
    await write(aoi, 'こんにちは、@ken さん。https://example.com/資料')
    await said(ken, 'こんにちは').waitFor()
    await write(ken, 'Hello!\nGood to be here.')
    await said(aoi, 'Good to be here.').waitFor()
    expect(await texts(aoi)).toEqual([
      'こんにちは、@ken さん。https://example.com/資料',
      'Hello!\nGood to be here.',
    ])
    expect(await said(ken, 'こんにちは').locator('a').getAttribute('href')).toBe('https://example.com/')
  })

  it('send nothing while an input method converts', async () => {
    await composer(aoi).fill('へんかんちゅう')
    for (const taken of ['isComposing: true', 'keyCode: 229']) {
      await composer(aoi).evaluate(
        `(field) => field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ${taken}, bubbles: true, cancelable: true }))`,
      )
    }
    await composer(aoi).press('Shift+Enter')
    expect(await composer(aoi).inputValue()).toBe('へんかんちゅう\n')
    await composer(aoi).fill('')
  })

  it('react, reply, edit and delete', async () => {
    await act(ken, 'こんにちは', 'Add reaction')
    // Its name has a description once that is loaded, and the last used come first.
    await ken.getByRole('button', { name: /^🎉/ }).first().click()
    await aoi.getByRole('button', { name: /🎉/ }).waitFor()
    await act(ken, 'こんにちは', 'Reply')
    await write(ken, 'A reply')
    await said(aoi, 'A reply')
      .getByRole('button', { name: /こんにちは/ })
      .waitFor()
    await act(ken, 'A reply', 'More')
    await ken.getByRole('menuitem', { name: 'Edit' }).click()
    await ken.getByLabel('Edit message').fill('A better reply')
    await ken.getByLabel('Edit message').press('Enter')
    await said(aoi, 'A better reply').getByText('編集済み').waitFor()
    await act(aoi, 'A better reply', 'その他')
    await aoi.getByRole('menuitem', { name: '詳細' }).click()
    await aoi.getByRole('dialog').getByText('A reply', { exact: true }).waitFor()
    await aoi.keyboard.press('Escape')
    await write(ken, 'wrong room')
    await act(ken, 'wrong room', 'More')
    await ken.getByRole('menuitem', { name: 'Delete' }).click()
    await ken.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await said(aoi, 'このメッセージは削除されました').waitFor()
    await expectAccessible(aoi)
    await expectAccessible(ken)
  })

  it('send a picture, which is shown once it was checked', async () => {
    const png = await sharp({ create: { width: 320, height: 200, channels: 3, background: '#3567b0' } })
      .png()
      .toBuffer()
    const name = '<img src=x onerror=alert(1)>.png'
    await ken.locator('input[type=file]').setInputFiles({ name, mimeType: 'image/png', buffer: png })
    await ken.getByRole('button', { name: 'Send', exact: true }).click()
    await expect.poll(() => ken.locator('article').last().innerHTML()).toContain('Scanning for viruses')
    await aoi.getByText('ファイルのウイルスを検査中…').waitFor()
    await site.inspect()
    site.bus.announce({ about: 'room', roomId })
    await aoi.locator('article img').waitFor()
    expect(await aoi.locator('article img').getAttribute('alt')).toContain('onerror')
    await expect
      .poll(() => aoi.evaluate("document.querySelector('article img')?.naturalWidth ?? 0"))
      .toBeGreaterThan(0)
  })

  it('find what was said, in Japanese, and go there', async () => {
    await aoi.keyboard.press('Control+k')
    await aoi.getByRole('combobox', { name: 'ルーム、人、ページ' }).fill('にち')
    await aoi.getByRole('option', { name: /「にち」でメッセージを検索/ }).click()
    await aoi.locator('mark', { hasText: 'にち' }).waitFor()
    await expectAccessible(aoi)
    await aoi.getByRole('link', { name: /メッセージへ移動/ }).click()
    await said(aoi, 'こんにちは').waitFor()
  })

  it('lose the network and regain it, with messages in between', async () => {
    const before = await texts(aoi)
    await aoi.context().setOffline(true)
    await aoi.getByText('オフラインです').waitFor()
    await write(aoi, '圏外から 1')
    await write(aoi, '圏外から 2')
    await said(aoi, '圏外から 2').getByText('接続待ち').waitFor()
    await write(ken, 'while you were away')
    await said(ken, 'while you were away').waitFor()
    await aoi.context().setOffline(false)
    for (const page of [aoi, ken]) {
      await said(page, '圏外から 2').waitFor()
      await said(page, 'while you were away').waitFor()
    }
    await expect.poll(() => aoi.getByText('接続待ち').count()).toBe(0)
    await expect
      .poll(() => texts(aoi))
      .toEqual([...before, 'while you were away', '圏外から 1', '圏外から 2'])
    await expect.poll(() => texts(ken)).toEqual(await texts(aoi))
  })

  it('are thrown out with their session', async () => {
    const elsewhere = await site.page({ locale: 'en-US' })
    await elsewhere.goto(`${site.origin()}/sign-in`)
    await signInWithCode(elsewhere, authenticator)
    await elsewhere.goto(`${site.origin()}/account/sessions`)
    await elsewhere.getByRole('button', { name: /^End session: / }).click()
    await ken.waitForURL(/sign-in/)
    await elsewhere.close()
  })
})

const corpus = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  'javascript:alert(1) [a](javascript:alert(1)) data:text/html,<script>alert(1)</script>',
  '</textarea><iframe srcdoc="<script>alert(1)</script>">',
  '{{constructor.constructor("alert(1)")()}} #{alert(1)}',
  'https://example.com/"onmouseover="alert(1)',
  '<a href="javascript:alert(1)">a</a><style>*{display:none}</style>',
  '\u202Emoc.elpmaxe\u202C <b>bold</b> &lt;i&gt;',
]

describe.skipIf(!hasChromium)('whatever people write', () => {
  it('is text in names, descriptions, messages, quotes, notifications and search', async () => {
    const eve = await site.actor('eve')
    const mia = await site.actor('mia')
    const page = await site.visit('mia')
    const dialogs: string[] = []
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message())
      void dialog.dismiss()
    })
    for (const text of corpus) {
      const name = [...text].slice(0, 100).join('')
      const room = await chat.createRoom(site.app, eve, { name, description: text })
      await chat.joinRoom(site.app, mia, room.id)
      const first = await chat.postMessage(site.app, eve, room.id, { content: text, mentions: [mia.userId] })
      await chat.postMessage(site.app, eve, room.id, { content: text, replyToId: first.id })
      await page.goto(`${site.origin()}/chat/rooms/${room.id}`)
      await page.locator('article').nth(1).waitFor()
      expect(await texts(page)).toEqual([text, text])
      expect(await page.locator('h1').textContent()).toBe(name)
    }
    for (const path of ['directory', 'notifications', `search?q=${encodeURIComponent('alert(1)')}`]) {
      await page.goto(`${site.origin()}/chat/${path}`)
      await page.getByText('onerror=alert(1)').first().waitFor()
    }
    const made = await page
      .locator('main script, main iframe, main svg[onload], img[onerror], [href^="javascript:"]')
      .count()
    expect(made).toBe(0)
    expect(dialogs).toEqual([])
    expect(site.faults).toEqual([])
  })
})

describe.skipIf(!hasChromium)('a room of 10,000 messages', () => {
  it('is scrolled through with few elements', { timeout: 120_000 }, async () => {
    const liz = await site.actor('liz')
    const room = await chat.createRoom(site.app, liz, { name: 'long' })
    await site.many(room.id, liz.userId, 10_000)
    const page = await site.visit('liz')
    await page.goto(`${site.origin()}/chat/rooms/${room.id}`)
    await said(page, 'message 10000').waitFor()
    const scroller = page.locator('section[tabindex="0"]')
    for (let turns = 0; turns < 12; turns += 1) {
      await scroller.evaluate((element) => element.scrollBy(0, -4_000))
      await page.waitForTimeout(120)
    }
    expect(await page.locator('article').count()).toBeLessThan(80)
    await chat.postMessage(site.app, liz, room.id, { content: 'meanwhile' })
    site.bus.announce({ about: 'room', roomId: room.id })
    await page.getByRole('button', { name: 'Jump to latest message' }).click()
    await said(page, 'meanwhile').waitFor()
    for (const content of ['one more', 'and one more']) {
      await chat.postMessage(site.app, liz, room.id, { content })
      site.bus.announce({ about: 'room', roomId: room.id })
      await expect.poll(() => inView(page, content)).toBe(true)
    }
    expect(site.faults).toEqual([])
  })
})
