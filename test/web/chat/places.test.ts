import type { Page } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import type { Person } from '../../../src/postgres/index.ts'
import { expectAccessible, hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
/** Pixels by which a row may seem to move: a scroll position is one of whole ones. */
const STILL_PX = 2
let page: Page
let mio: Person
let rei: Person
let roomId = ''

const history = (place: Page) => place.locator('section[tabindex="0"]')
const open = (path: string) => page.goto(`${site.origin()}/chat${path}`)
const said = (text: string) => page.locator('article', { hasText: text }).first()

interface Seen {
  readonly text: string
  readonly top: number
}

/**
 * The second row of which all can be seen, or the one with `text`. The first may be the first that is loaded,
 * which loses its author's name to the older message that comes to stand above it.
 */
const seen = (text?: string) =>
  page.evaluate<Seen | null>(
    `(() => {
      const edge = document.querySelector('section[tabindex="0"]').getBoundingClientRect().top
      const rows = [...document.querySelectorAll('article [dir="auto"]')]
        .map((one) => ({ text: one.textContent, top: one.getBoundingClientRect().top }))
      const text = ${JSON.stringify(text ?? null)}
      return (text === null ? rows.filter((one) => one.top >= edge)[1] : rows.find((one) => one.text === text)) ?? null
    })()`,
  )

const atTop = () =>
  history(page).evaluate((element) => element.scrollHeight - element.clientHeight + element.scrollTop < 2)

/** The same once it stays for some frames: what has just come is measured first. */
async function settled(text?: string): Promise<Seen | null> {
  let last: Seen | null = null
  await expect
    .poll(
      async () => {
        const before = last
        last = await seen(text)
        return last !== null && last.text === before?.text && last.top === before.top
      },
      { interval: 200 },
    )
    .toBe(true)
  return last
}

describe.skipIf(!hasChromium)('a place in the chat', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    mio = await site.actor('mio')
    rei = await site.actor('rei')
    const room = await chat.createRoom(site.app, mio, { name: 'atelier' })
    roomId = room.id
    await chat.joinRoom(site.app, rei, roomId)
    await site.many(roomId, mio.userId, 400)
    await chat.postMessage(site.app, mio, roomId, { content: 'the last of them' })
    page = await site.visit('mio')
  })
  afterEach(() => expect(site.faults).toEqual([]))

  it('in a history stays while older messages come, and while newer ones do', async () => {
    const held: (() => void)[] = []
    let hold = false
    await page.route(/messages\?.*before=/, async (route) => {
      if (hold) await new Promise<void>((resolve) => held.push(resolve))
      await route.continue()
    })
    await open(`/rooms/${roomId}`)
    await said('the last of them').waitFor()
    hold = true
    // As a reader does, step by step; what is passed over is measured on the way.
    await expect
      .poll(
        async () => {
          await history(page).evaluate((element) => element.scrollBy(0, -400))
          return (await atTop()) && held.length > 0
        },
        { interval: 60 },
      )
      .toBe(true)
    const before = await settled()
    const height = await history(page).evaluate((element) => element.scrollHeight)
    hold = false
    for (const go of held) go()
    await expect.poll(() => history(page).evaluate((element) => element.scrollHeight)).toBeGreaterThan(height)
    const after = await settled(before?.text)
    expect(Math.abs((after?.top ?? Number.NaN) - (before?.top ?? 0))).toBeLessThanOrEqual(STILL_PX)
    await chat.postMessage(site.app, rei, roomId, { content: 'from below' })
    site.bus.announce({ about: 'room', roomId })
    await page.getByText('rei: from below').first().waitFor({ state: 'attached' })
    const later = await settled(before?.text)
    expect(Math.abs((later?.top ?? Number.NaN) - (before?.top ?? 0))).toBeLessThanOrEqual(STILL_PX)
  })

  it('is never blank while one scrolls', async () => {
    for (let turns = 0; turns < 8; turns += 1) {
      // Counted from the scroll event on: how soon a busy machine dispatches it is not the page's doing.
      const blank = await page.evaluate<number>(
        `new Promise((resolve) => {
          const place = document.querySelector('section[tabindex="0"]'), from = place.scrollTop
          const drawn = () => requestAnimationFrame(() => requestAnimationFrame(resolve))
          place.addEventListener('scroll', drawn, { once: true })
          place.scrollBy(0, 1500)
          if (place.scrollTop === from) drawn()
        }).then(() => {
          const edges = document.querySelector('section[tabindex="0"]').getBoundingClientRect()
          const rows = [...document.querySelectorAll('section[tabindex="0"] [data-index]')].map((one) => one.getBoundingClientRect())
          const top = Math.min(...rows.map((one) => one.top)), bottom = Math.max(...rows.map((one) => one.bottom))
          return Math.max(top - edges.top, edges.bottom - bottom)
        })`,
      )
      // The history has a little room at both ends.
      expect(blank).toBeLessThan(40)
    }
  })

  it('does not move while a room loads', async () => {
    await page.addInitScript(
      `window.shift = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shift += one.value }).observe({ type: 'layout-shift', buffered: true })`,
    )
    await open(`/rooms/${roomId}`)
    await said('the last of them').waitFor()
    await page.waitForLoadState('networkidle')
    expect(await page.evaluate<number>('window.shift')).toBeLessThan(0.02)
  })

  it('is reached by keys, which the help lists', async () => {
    await open('')
    await page.getByRole('link', { name: /atelier/ }).waitFor()
    await page.keyboard.press('d')
    await page.getByRole('heading', { name: 'Public rooms', level: 1 }).waitFor()
    await page.keyboard.press('i')
    await page.getByRole('heading', { name: 'Notifications', level: 1 }).waitFor()
    await page.keyboard.press('s')
    await page.getByRole('heading', { name: 'Search', level: 1 }).waitFor()
    await page.getByLabel('Search messages').blur()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).getByText('Next unread room').waitFor()
    await page.keyboard.press('Escape')
  })

  it('that is unknown says so', async () => {
    await open('/nowhere')
    await page.getByRole('heading', { name: 'Page not found' }).waitFor()
    await page.goto(`${site.origin()}/nowhere`)
    await page.getByRole('heading', { name: 'Page not found' }).waitFor()
  })

  it('in what was found depends on who wrote it and when', async () => {
    await chat.postMessage(site.app, rei, roomId, { content: 'only once' })
    await open('/search?q=message')
    await page.getByText(/More than \d+ messages/).waitFor()
    await page.getByRole('combobox', { name: 'Sender' }).fill('rei')
    await page.getByRole('option', { name: 'rei' }).click()
    await page.getByText('No results for “message”').waitFor()
    await page.getByLabel('Search messages').fill('once')
    await page.getByText('1 message', { exact: true }).waitFor()
    await page.getByLabel('End date').fill('2001-01-01')
    await page.getByText('No results for “once”').waitFor()
    await page.reload()
    await page.getByText('No results for “once”').waitFor()
    expect(await page.getByLabel('End date').inputValue()).toBe('2001-01-01')
  })

  it('of one person alone with another shows who writes', async () => {
    const other = await site.visit('rei', { locale: 'ja', scheme: 'dark', phone: true })
    await open('')
    await page.getByRole('button', { name: 'New direct message' }).click()
    await page.getByPlaceholder('Search by name').fill('rei')
    await page.getByRole('dialog').getByRole('button', { name: 'rei' }).click()
    await page.getByRole('button', { name: 'Start conversation' }).click()
    await page.locator('form textarea').last().fill('Just for you')
    await page.locator('form textarea').last().press('Enter')
    await other.getByRole('link', { name: /mio/ }).first().click()
    await other.locator('article', { hasText: 'Just for you' }).waitFor()
    await other.locator('form textarea').last().pressSequentially('すぐに')
    await page.getByText('rei is typing…').waitFor()
    await expectAccessible(other)
    await other.context().close()
  })

  it('of several people is always theirs alone', async () => {
    await site.actor('sora')
    await open('')
    await page.getByRole('button', { name: 'New direct message' }).click()
    const dialog = page.getByRole('dialog', { name: 'New direct message' })
    for (const name of ['rei', 'sora']) {
      await dialog.getByPlaceholder('Search by name').fill(name)
      await dialog.getByRole('list', { name: 'To' }).getByRole('button', { name }).click()
    }
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Start group conversation' }).click()
    await page.getByRole('heading', { name: 'rei, sora', level: 1 }).waitFor()
    await page.locator('form textarea').last().fill('For the three of us')
    await page.locator('form textarea').last().press('Enter')
    const other = await site.visit('sora')
    await other
      .getByRole('link', { name: /mio, rei/ })
      .first()
      .click()
    await other.locator('article', { hasText: 'For the three of us' }).waitFor()
    await other.getByRole('button', { name: 'Room details' }).click()
    await other.getByRole('tab', { name: 'Members' }).click()
    await other.getByRole('button', { name: 'Start a conversation with more people' }).click()
    await other.getByText('This starts another conversation.').waitFor()
    await expectAccessible(other)
    await other.context().close()
  })

  it('in a room has a role, and the room settings, which others see at once', async () => {
    const other = await site.visit('rei')
    await other.goto(`${site.origin()}/chat/rooms/${roomId}`)
    await open(`/rooms/${roomId}`)
    await page.getByRole('button', { name: 'Room details' }).click()
    await page.getByRole('dialog').getByRole('textbox', { name: /^Name/ }).fill('workshop')
    await page.getByRole('button', { name: 'Save' }).click()
    await other.getByRole('heading', { name: 'workshop', level: 1 }).waitFor()
    await page.getByRole('tab', { name: 'Members' }).click()
    await page
      .getByRole('textbox', { name: 'Role of rei' })
      .or(page.getByLabel('Role of rei'))
      .first()
      .click()
    await page.getByRole('option', { name: 'Admin' }).click()
    await other.getByRole('button', { name: 'Room details' }).click()
    await other.getByLabel('Description').waitFor()
    await expectAccessible(other)
    await other.context().close()
    await page.keyboard.press('Escape')
  })

  it('in the tray is given up while the file is on its way', async () => {
    await open(`/rooms/${roomId}`)
    await said('the last of them').waitFor()
    await page.route(/\/files\?name=/, () => undefined)
    const buffer = Buffer.from('plans')
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'plans.txt', mimeType: 'text/plain', buffer })
    await page.getByRole('button', { name: 'Remove plans.txt' }).click()
    await expect.poll(() => page.getByText('plans.txt').count()).toBe(0)
  })

  it('has no serious findings of axe on a phone in the dark', async () => {
    const phone = await site.visit('rei', { locale: 'ja', scheme: 'dark', phone: true })
    const paths = [
      'chat',
      `chat/rooms/${roomId}`,
      'chat/directory',
      'chat/search?q=message',
      'chat/notifications',
      'chat/nowhere',
      'account/security',
      'account/activity',
    ]
    for (const path of paths) {
      await phone.goto(`${site.origin()}/${path}`)
      await phone.waitForLoadState('networkidle')
      await expectAccessible(phone)
    }
    await phone.context().close()
  })
})
