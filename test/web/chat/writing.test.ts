import type { Message } from '@akashi/contract'
import type { Page } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import type { Person } from '../../../src/postgres/index.ts'
import { expectAccessible, hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
let page: Page
let kei: Person
let tanaka: Person
let roomId = ''

const field = () => page.getByPlaceholder('Message plaza')
const last = () => page.locator('article').last()
const open = (path: string) => page.goto(`${site.origin()}/chat${path}`)

async function newest(): Promise<Message> {
  const { messages } = await chat.readHistory(site.app, kei, roomId)
  const message = messages.at(-1)
  if (message === undefined) throw new Error('the room has no message')
  return message
}

async function write(text: string): Promise<void> {
  // Behind a space nobody is suggested, and Enter sends.
  await field().fill(`${text} `)
  await field().press('Enter')
  await expect.poll(async () => (await newest()).content).toBe(text)
}

describe.skipIf(!hasChromium)('writing in a room', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    kei = await site.actor('kei')
    tanaka = await site.actor('tanaka')
    roomId = (await chat.createRoom(site.app, kei, { name: 'plaza' })).id
    await chat.joinRoom(site.app, tanaka, roomId)
    for (const content of ['hello', 'サーバーとｻｰﾊﾞｰ', 'か\u3099くせい'])
      await chat.postMessage(site.app, tanaka, roomId, { content })
    page = await site.visit('kei')
  })
  afterEach(() => expect(site.faults).toEqual([]))

  it('begins at once, and whatever has the focus', async () => {
    await page.getByRole('link', { name: /plaza/ }).click()
    await field().waitFor()
    await page.keyboard.type('did you see n i d')
    expect(await field().inputValue()).toBe('did you see n i d')
    await field().fill('')
    await page.getByRole('link', { name: /plaza/ }).focus()
    await page.keyboard.type('now what?')
    expect(await field().inputValue()).toBe('now what?')
    await field().fill('')
    await page.locator('article').first().focus()
    await page.keyboard.type('gd')
    expect(await field().inputValue()).toBe('gd')
    expect(new URL(page.url()).pathname).toBe(`/chat/rooms/${roomId}`)
    expect(await page.getByRole('dialog').count()).toBe(0)
    await field().fill('')
  })

  it('leaves keys to dialogs and menus', async () => {
    await page.getByRole('button', { name: 'Room details' }).click()
    await page.getByRole('tab', { name: 'Members' }).click()
    await page.keyboard.type('n')
    await page.getByRole('dialog').getByText('tanaka', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await field().inputValue()).toBe('')
  })

  it('has shortcuts with modifiers, and others that can be switched off', async () => {
    await field().press('Control+/')
    const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    await help.getByText('Public rooms').waitFor()
    await expectAccessible(page)
    await help.getByRole('switch', { name: 'Single-key shortcuts' }).press('Space')
    await help.getByText('Public rooms').waitFor({ state: 'detached' })
    await help.getByText('Next unread room').waitFor()
    await page.keyboard.press('Escape')
    await open('/directory')
    await page.getByRole('heading', { name: 'Public rooms', level: 1 }).waitFor()
    await page.locator('body').press('i')
    await page.locator('body').press('n')
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog', { name: 'Go to…' }).waitFor()
    await page.keyboard.press('Escape')
    expect(new URL(page.url()).pathname).toBe('/chat/directory')
    await page.keyboard.press('Control+/')
    await help.getByRole('switch', { name: 'Single-key shortcuts' }).press('Space')
    await page.keyboard.press('Escape')
    await open('/directory')
    await page.getByRole('heading', { name: 'Public rooms', level: 1 }).waitFor()
    await page.locator('body').press('i')
    await page.getByRole('heading', { name: 'Notifications', level: 1 }).waitFor()
  })

  it('goes to the next unread room by one combination', async () => {
    const other = (await chat.createRoom(site.app, tanaka, { name: 'news' })).id
    await chat.joinRoom(site.app, kei, other)
    await chat.postMessage(site.app, tanaka, other, { content: 'unread' })
    await open(`/rooms/${roomId}`)
    await page.getByRole('link', { name: /news.*1 unread message/ }).waitFor()
    await field().press('Alt+ArrowDown')
    await page.getByRole('heading', { name: 'news', level: 1 }).waitFor()
  })

  it.each(['@tan', '＠tan', 'こんにちは@tan', 'お疲れ様＠ｔａｎ'])('offers people for %s', async (text) => {
    await open(`/rooms/${roomId}`)
    await field().fill('')
    await field().pressSequentially(text)
    const box = page.getByRole('textbox', { name: 'Message plaza' })
    const option = page.getByRole('option', { name: /tanaka/ })
    await option.waitFor()
    expect(await option.getAttribute('aria-selected')).toBe('true')
    expect(await box.getAttribute('aria-activedescendant')).toBe(await option.getAttribute('id'))
    expect(await box.getAttribute('aria-controls')).toBe(await page.getByRole('listbox').getAttribute('id'))
    await expectAccessible(page)
    await page.keyboard.press('Enter')
    expect(await field().inputValue()).toMatch(/@tanaka $/)
    expect(await box.getAttribute('aria-controls')).toBeNull()
    await field().fill('')
  })

  it('closes the list when somebody is picked with the pointer', async () => {
    await field().fill('@tan')
    await page.getByRole('option', { name: /tanaka/ }).click()
    await page.getByRole('listbox').waitFor({ state: 'detached' })
    expect(await field().inputValue()).toBe('@tanaka ')
    await field().fill('')
  })

  it('sends where nobody has such a name', async () => {
    await field().fill('@tan')
    await page.getByRole('option', { name: /tanaka/ }).waitFor()
    await field().fill('@tanakasu')
    await field().press('Enter')
    await expect.poll(async () => (await newest()).content).toBe('@tanakasu')
  })

  it('offers nobody once the list was closed', async () => {
    await field().pressSequentially('@tan')
    await page.getByRole('option', { name: /tanaka/ }).waitFor()
    await field().press('Escape')
    await page.getByRole('option').waitFor({ state: 'detached' })
    await field().fill('')
  })

  it.each([
    ['@tanakaさん、お願いします', true],
    ['＠tanaka どうぞ', true],
    ['お願いします@tanaka', true],
    ['ssh root@tanaka', false],
    ['@tanakas', false],
    ['`@tanaka`', false],
  ])('%s mentions: %s', async (text, mentioned) => {
    await write(text)
    expect((await newest()).mentions).toEqual(mentioned ? [tanaka.userId] : [])
    await expect.poll(() => last().locator('[data-me]').count()).toBe(mentioned ? 1 : 0)
  })

  it('shows Markdown as elements', async () => {
    await write('**bold** and `code`\n```\n<b>not html</b>\n```\n- one\n- two\n> quoted')
    expect(await last().locator('strong').textContent()).toBe('bold')
    expect(await last().locator('pre').textContent()).toBe('<b>not html</b>')
    expect(await last().locator('li').allTextContents()).toEqual(['one', 'two'])
    expect(await last().locator('blockquote').textContent()).toBe('quoted')
    expect(await last().locator('b').count()).toBe(0)
    await expectAccessible(page)
  })

  it.each([
    ['サーバー', ['サーバー', 'ｻｰﾊﾞｰ']],
    ['が', ['か\u3099']],
  ])('is found and marked by %s', async (query, marks) => {
    await open(`/search?q=${encodeURIComponent(query)}`)
    await page.locator('mark').first().waitFor()
    expect(await page.locator('mark').allTextContents()).toEqual(marks)
  })

  it('is searched with words, and filters say that they need some', async () => {
    await open('/search')
    await page.getByText('Finds messages that contain all words').waitFor()
    // The input is hidden below what is drawn for it.
    await page.getByRole('switch', { name: 'Has file' }).press('Space')
    await page.getByRole('status').getByText('Enter a word to search with these filters.').waitFor()
    await page.getByLabel('Search messages').fill('hello')
    await page.getByRole('status').getByText('No results for “hello”').waitFor()
    await page.getByText('Try fewer words or filters.').waitFor()
  })
})
