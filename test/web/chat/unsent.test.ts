import type { Page } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import type { Person } from '../../../src/postgres/index.ts'
import { PASSWORD } from '../../identity/server.ts'
import { hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
let page: Page
let nao: Person
let first = ''
let second = ''

const composer = () => page.getByRole('textbox', { name: /^Message / })
const said = (text: string) => page.locator('article', { hasText: text }).first()
const tray = () => page.getByRole('list', { name: 'Attached files' })
const file = (name: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(name) })
const attach = (...names: string[]) => page.locator('input[type=file]').setInputFiles(names.map(file))

async function open(name: string): Promise<void> {
  await page.getByRole('link', { name: new RegExp(name) }).click()
  await page.getByRole('heading', { level: 1, name }).waitFor()
}

describe.skipIf(!hasChromium)('what is not sent yet', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    nao = await site.actor('nao')
    const yui = await site.actor('yui')
    first = (await chat.createRoom(site.app, nao, { name: 'first' })).id
    second = (await chat.createRoom(site.app, nao, { name: 'second' })).id
    for (const id of [first, second]) await chat.joinRoom(site.app, yui, id)
    await chat.postMessage(site.app, yui, first, { content: 'a question' })
    page = await site.visit('nao')
  })
  afterEach(() => expect(site.faults).toEqual([]))

  it('stays in its room with its files and its reply, over other pages and a reload', async () => {
    await open('first')
    await said('a question').hover()
    await said('a question').getByRole('button', { name: 'Reply' }).click()
    await composer().fill('half an answer')
    await attach('one.txt')
    await tray().getByText('7 byte').waitFor()
    await open('second')
    expect(await composer().inputValue()).toBe('')
    expect(await tray().count()).toBe(0)
    await page.getByRole('link', { name: 'Account' }).first().click()
    await page.getByLabel('Display name').waitFor()
    await page.getByRole('link', { name: 'Chat' }).first().click()
    for (const again of ['', 'reloaded']) {
      if (again !== '') await page.reload()
      await open('first')
      expect(await composer().inputValue()).toBe('half an answer')
      await tray().getByText('one.txt').waitFor()
      await page.getByRole('button', { name: 'Cancel reply' }).waitFor()
    }
    await composer().press('Enter')
    await expect.poll(() => said('half an answer').getByText('one.txt').count()).toBe(1)
    await said('half an answer')
      .getByRole('button', { name: /a question/ })
      .waitFor()
    expect(await composer().inputValue()).toBe('')
    expect(await page.evaluate('Object.keys(sessionStorage).filter((key) => /drafts/.test(key))')).toEqual([])
  })

  it('is uploaded on while another room is shown', async () => {
    const held: (() => void)[] = []
    await page.route(/\/files\?name=slow/, async (route) => {
      await new Promise<void>((resolve) => held.push(resolve))
      await route.continue()
    })
    await open('first')
    await attach('slow.txt')
    await expect.poll(() => held.length).toBe(1)
    await open('second')
    for (const go of held) go()
    await open('first')
    await tray().getByText('8 byte').waitFor()
    await page.getByRole('button', { name: 'Remove slow.txt' }).click()
    await page.unroute(/\/files\?name=slow/)
  })

  it('never goes without the files that were meant to go with it', async () => {
    await open('first')
    await page.route(/\/files\?name=contract/, (route) => route.fulfill({ status: 409 }))
    await attach('contract.txt')
    await tray().getByText('Upload failed').waitFor()
    await composer().fill('here is the contract')
    await composer().press('Enter')
    await page.getByRole('alert').getByText('Some files weren’t uploaded.').waitFor()
    expect(await page.locator('article', { hasText: 'here is the contract' }).count()).toBe(0)
    await page.unroute(/\/files\?name=contract/)
    await page.getByRole('button', { name: 'Upload contract.txt again' }).click()
    await tray().getByText('12 byte').waitFor()
    await composer().press('Enter')
    await expect.poll(() => said('here is the contract').getByText('contract.txt').count()).toBe(1)
  })

  it('says which file was lost when the page was reloaded during its upload', async () => {
    await open('first')
    await page.route(/\/files\?name=lost/, () => undefined)
    await attach('lost.txt')
    await page.getByLabel(/^Uploading lost.txt/).waitFor({ state: 'attached' })
    await page.reload()
    await tray().getByText('Upload interrupted.').waitFor()
    await composer().press('Enter')
    await page.getByRole('alert').getByText('Some files weren’t uploaded.').waitFor()
    await page.getByRole('button', { name: 'Remove lost.txt' }).click()
    await page.unroute(/\/files\?name=lost/)
  })

  it('in an edit stays while the message is out of sight', async () => {
    await site.many(second, nao.userId, 300)
    // Older messages that come in while one scrolls are another matter.
    await page.route(/messages\?.*before=/, () => undefined)
    await page.goto(`${site.origin()}/chat/rooms/${second}`)
    await said('message 300').hover()
    await said('message 300').getByRole('button', { name: 'More' }).click()
    await page.getByRole('menuitem', { name: 'Edit' }).click()
    await page.getByLabel('Edit message').fill('message 300, and a thought')
    const history = page.locator('section[tabindex="0"]')
    await expect
      .poll(async () => {
        await history.evaluate((element) => element.scrollBy(0, -2_000))
        return await page.getByLabel('Edit message').count()
      })
      .toBe(0)
    await history.press('End')
    await expect
      .poll(async () => {
        await history.evaluate((element) => element.scrollTo(0, 0))
        return await page.getByLabel('Edit message').count()
      })
      .toBe(1)
    expect(await page.getByLabel('Edit message').inputValue()).toBe('message 300, and a thought')
    await page.getByLabel('Edit message').press('Enter')
    await said('and a thought').getByText('edited', { exact: true }).waitFor()
    await page.unroute(/messages\?.*before=/)
  })

  it('keeps the text of pasted cells, which come with a picture of them', async () => {
    await open('first')
    const paste = (text: string, name: string) =>
      page.evaluate<boolean>(
        `(() => {
          const field = document.activeElement
          const data = new DataTransfer()
          data.setData('text/plain', ${JSON.stringify(text)})
          data.items.add(new File([new Uint8Array([137, 80, 78, 71])], '${name}', { type: 'image/png' }))
          const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
          field.dispatchEvent(event)
          return event.defaultPrevented
        })()`,
      )
    await composer().focus()
    expect(await paste('a\tb', 'image.png')).toBe(false)
    expect(await tray().count()).toBe(0)
    expect(await paste('', 'image.png')).toBe(true)
    expect(await paste('photo.png', 'photo.png')).toBe(true)
    expect(await tray().getByRole('listitem').count()).toBe(2)
    for (const name of ['image.png', 'photo.png'])
      await page.getByRole('button', { name: `Remove ${name}` }).click()
  })

  it('is not shown to whoever signs in next in the same tab, and is there for its writer', async () => {
    const signIn = async (username: string) => {
      await page.getByLabel('Username or e-mail address').fill(username)
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await page.getByRole('button', { name: `Account menu of ${username}` }).waitFor()
    }
    const signOut = async (username: string) => {
      await page.getByRole('button', { name: `Account menu of ${username}` }).click()
      await page.getByRole('menuitem', { name: 'Sign out' }).click()
      await page.getByText('You’ve signed out.').waitFor()
    }
    await open('first')
    await composer().fill('my salary is 9000')
    await signOut('nao')
    await signIn('yui')
    await open('first')
    expect(await composer().inputValue()).toBe('')
    await signOut('yui')
    await signIn('nao')
    await open('first')
    expect(await composer().inputValue()).toBe('my salary is 9000')
  })
})
