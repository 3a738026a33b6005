import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { testSite } from './chat/site.ts'
import { expectAccessible, hasChromium } from './support.ts'

const site = testSite()
let roomId = ''
let directId = ''

const pages = () =>
  [
    ['/chat', 'Welcome to Akashi', 'Chat'],
    [`/chat/rooms/${roomId}`, 'library', 'library'],
    [`/chat/rooms/${directId}`, 'jun', 'jun'],
    ['/chat/directory', 'Public rooms', 'Public rooms'],
    ['/chat/search', 'Search', 'Search'],
    ['/chat/notifications', 'Notifications', 'Notifications'],
    ['/chat/nowhere', 'Page not found', 'Page not found'],
    ['/account/profile', 'Profile', 'Profile'],
    ['/account/security', 'Security', 'Security'],
    ['/account/sessions', 'Sessions', 'Sessions'],
    ['/account/privacy', 'Privacy', 'Privacy'],
    ['/account/activity', 'What is recorded about me', 'What is recorded about me'],
    ['/nowhere', 'Page not found', 'Page not found'],
  ] as const

/** What can be pressed and is less than 44 pixels high or wide to a finger, but for links within a text. */
const smallTargets = `(() => {
  const REACH = 21
  const wanted = 'a[href], button, input, select, textarea, [role="switch"], [role="option"], [role="menuitem"], [role="tab"]'
  const small = []
  for (const element of document.querySelectorAll(wanted)) {
    if (element.closest('[dir="auto"], [aria-hidden="true"], [hidden]') || element.matches('[type="file"], .skip')) continue
    const isBox = element.matches('[type="checkbox"], [type="radio"]')
    const target = isBox ? (element.closest('label') ?? element.labels[0]) : element
    const box = target.getBoundingClientRect()
    if (box.width === 0 || box.height === 0 || getComputedStyle(target).visibility === 'hidden') continue
    if (box.bottom <= 0 || box.right <= 0) continue
    // A cover makes the whole entry the target.
    const cover = getComputedStyle(element, '::after')
    const whole = cover.content !== 'none' && cover.position === 'absolute' ? element.closest('li').getBoundingClientRect() : box
    if (whole.width >= 2 * REACH + 2 - 0.5 && whole.height >= 2 * REACH + 2 - 0.5) continue
    small.push(\`\${element.tagName} \${element.getAttribute('aria-label') ?? element.textContent} \${Math.round(whole.width)}x\${Math.round(whole.height)}\`)
  }
  return small
})()`

async function visit(page: Page, path: string, heading: string): Promise<void> {
  await page.goto(`${site.origin()}${path}`)
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor({ state: 'attached' })
  await page.waitForLoadState('networkidle')
}

describe.skipIf(!hasChromium)('every page', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    const ito = await site.actor('ito')
    const jun = await site.actor('jun')
    roomId = (await chat.createRoom(site.app, ito, { name: 'library' })).id
    await chat.joinRoom(site.app, jun, roomId)
    const { id } = await chat.postMessage(site.app, jun, roomId, {
      content: '@ito see https://example.com',
      mentions: [ito.userId],
    })
    await chat.postMessage(site.app, jun, roomId, { content: 'again', replyToId: id })
    await chat.setReaction(site.app, jun, id, '👍', true)
    directId = (await chat.openDirectRoom(site.app, ito, jun.userId)).id
    await chat.postMessage(site.app, jun, directId, { content: 'hello' })
  })

  it('has one first heading, and names itself in the tab', async () => {
    const page = await site.visit('ito')
    for (const [path, heading, title] of pages()) {
      await visit(page, path, heading)
      expect(await page.getByRole('heading', { level: 1 }).count(), path).toBe(1)
      expect(await page.title(), path).toMatch(new RegExp(`^(\\(\\d+\\) )?${title} · Akashi 証$`))
      expect(await page.getByRole('main').count(), path).toBe(1)
      expect(await page.locator('main nav').count(), path).toBe(0)
    }
    await page.context().close()
  })

  it('lets one skip to what it is about', async () => {
    const page = await site.visit('ito')
    await visit(page, '/chat/directory', 'Public rooms')
    await page.keyboard.press('Tab')
    await page.getByRole('link', { name: 'Skip to main content' }).press('Enter')
    await page.keyboard.press('Tab')
    expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toBe('Search rooms')
    await page.context().close()
  })

  it('has no element with words of another language', async () => {
    const page = await site.visit('ito', { locale: 'ja' })
    await page.goto(`${site.origin()}/chat/rooms/${roomId}`)
    await page.getByRole('textbox').last().fill('一行\n二行')
    const labels = await page.evaluate<string[]>(
      `[...document.querySelectorAll('[aria-label], [title], [placeholder]')].map((one) =>
        one.getAttribute('aria-label') ?? one.getAttribute('title') ?? one.getAttribute('placeholder'))`,
    )
    expect(labels.length).toBeGreaterThan(10)
    expect(
      labels.filter((label) => /[a-z]{3}/.test(label.replaceAll(/library|ito|jun|Akashi/g, ''))),
    ).toEqual([])
    await page.context().close()
  })

  it('is valid while its rooms load', async () => {
    const page = await site.visit('ito')
    await page.route('**/v1/chat/rooms', () => undefined)
    await page.goto(`${site.origin()}/chat`)
    await page.getByRole('navigation', { name: 'Conversations' }).getByRole('status').waitFor()
    await expectAccessible(page)
    expect(await page.locator('ul > :not(li)').count()).toBe(0)
    await page.context().close()
  })

  it('has targets of 44 pixels on a phone', async () => {
    const page = await site.visit('ito', { phone: true })
    for (const [path, heading] of pages()) {
      // The list of conversations is the page there.
      await visit(page, path, path === '/chat' ? 'Chat' : heading)
      expect(await page.evaluate<string[]>(smallTargets), path).toEqual([])
    }
    await visit(page, `/chat/rooms/${roomId}`, 'library')
    await page.locator('article', { hasText: 'again' }).tap()
    await page.getByRole('toolbar').first().waitFor()
    expect(await page.evaluate<string[]>(smallTargets)).toEqual([])
    await page.getByRole('button', { name: 'More' }).tap()
    await page.getByRole('menuitem', { name: 'Details' }).waitFor()
    expect(await page.evaluate<string[]>(smallTargets)).toEqual([])
    await page.getByRole('menuitem', { name: 'Details' }).tap()
    await page.getByRole('dialog').waitFor()
    expect(await page.evaluate<string[]>(smallTargets)).toEqual([])
    await visit(page, `/chat/rooms/${roomId}`, 'library')
    await page.getByRole('button', { name: 'Room details' }).tap()
    await page.getByRole('tab', { name: 'Members' }).tap()
    await page.getByRole('button', { name: 'Invite people' }).tap()
    await page.getByPlaceholder('Search by name').waitFor()
    expect(await page.evaluate<string[]>(smallTargets)).toEqual([])
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await page.context().close()
  })
})
