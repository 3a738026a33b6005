import type { Page, Request } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import type { Person } from '../../../src/postgres/index.ts'
import { hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
let page: Page
let emi: Person
let ryo: Person

const bell = (place: Page, count: number) =>
  place.getByRole('link', {
    name: count === 0 ? 'Notifications' : `Notifications ${count} unread notification${count > 1 ? 's' : ''}`,
    exact: true,
  })

async function room(name: string, ...members: readonly Person[]): Promise<string> {
  const { id } = await chat.createRoom(site.app, ryo, { name })
  for (const member of members) await chat.joinRoom(site.app, member, id)
  for (const member of members) site.bus.announce({ about: 'person', userId: member.userId })
  return id
}

async function say(roomId: string, content: string, ...mentions: string[]): Promise<void> {
  await chat.postMessage(site.app, ryo, roomId, { content, mentions })
  site.bus.announce({ about: 'room', roomId })
}

describe.skipIf(!hasChromium)('what one is told', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    emi = await site.actor('emi')
    ryo = await site.actor('ryo')
    page = await site.visit('emi')
  })
  afterEach(() => expect(site.faults).toEqual([]))

  it('of an invitation stands there once, and goes when it was answered', async () => {
    const { id } = await chat.createRoom(site.app, ryo, { name: 'studio', type: 'private' })
    await chat.invite(site.app, ryo, id, emi.userId)
    site.bus.announce({ about: 'person', userId: emi.userId })
    await bell(page, 1).click()
    await page.getByText('ryo invited you to studio').waitFor()
    expect(await page.getByText('ryo invited you to studio').count()).toBe(1)
    await page.getByRole('button', { name: 'Join' }).click()
    await page.getByRole('heading', { name: 'studio', level: 1 }).waitFor()
    await bell(page, 0).waitFor()
  })

  it('of a room that one may no longer see counts no more', async () => {
    const { id } = await chat.createRoom(site.app, ryo, { name: 'vault', type: 'private' })
    const invitation = await chat.invite(site.app, ryo, id, emi.userId)
    await chat.answerInvitation(site.app, emi, invitation, true)
    site.bus.announce({ about: 'person', userId: emi.userId })
    await page.getByRole('link', { name: /vault/ }).waitFor()
    await say(id, '@emi', emi.userId)
    await bell(page, 1).waitFor()
    await chat.leaveRoom(site.app, emi, id)
    site.bus.announce({ about: 'room', roomId: id })
    site.bus.announce({ about: 'person', userId: emi.userId })
    await bell(page, 0).waitFor()
  })

  it('rises with a mention, and falls on every device with reading', async () => {
    const id = await room('deck', emi)
    const other = await site.visit('emi')
    for (const place of [page, other]) {
      await place.goto(`${site.origin()}/chat`)
      await place.getByRole('link', { name: /\bdeck\b/ }).waitFor()
    }
    await say(id, 'not for you')
    await say(id, '@emi look', emi.userId)
    for (const place of [page, other]) {
      await bell(place, 1).waitFor()
      await place.getByRole('link', { name: /2 unread messages, 1 mention/ }).waitFor()
    }
    expect(await page.title()).toBe('(1) Chat · Akashi 証')
    await page.getByRole('link', { name: /\bdeck\b/ }).click()
    await page.locator('article', { hasText: '@emi look' }).waitFor()
    for (const place of [page, other]) {
      await bell(place, 0).waitFor()
      await place.getByRole('link', { name: /\bdeck\b((?!unread).)*$/ }).waitFor()
    }
    expect(await page.title()).toBe('deck · Akashi 証')
    await other.context().close()
  })

  it('keeps no session alive while nobody is there', async () => {
    const id = await room('tower', emi)
    await page.goto(`${site.origin()}/chat`)
    await page.getByRole('link', { name: /\btower\b/ }).waitFor()
    await page.mouse.move(5, 5)
    // An hour later, as the page has it; nothing that waits is run for that.
    await page.evaluate('{ const now = Date.now; Date.now = () => now() + 3_600_000 }')
    const asked: string[] = []
    const note = (request: Request) => void asked.push(new URL(request.url()).pathname)
    page.on('request', note)
    await say(id, '@emi one', emi.userId)
    site.bus.announce({ about: 'person', userId: emi.userId })
    await say(id, 'two')
    // The socket brings it, which keeps no session alive.
    await page.getByRole('link', { name: /2 unread messages, 1 mention/ }).waitFor()
    await say(id, 'three')
    await page.getByRole('link', { name: /3 unread messages, 1 mention/ }).waitFor()
    expect(asked).toEqual([])
    await page.mouse.move(50, 50)
    await bell(page, 1).waitFor()
    await expect.poll(() => asked).toContain('/v1/session')
    page.off('request', note)
  })
})

describe.skipIf(!hasChromium)('an open account page', { timeout: 120_000 }, () => {
  it('asks for its session only while somebody uses it', async () => {
    const account = await site.visit('emi', { before: (place) => place.clock.install() })
    await account.goto(`${site.origin()}/account/profile`)
    await account.getByLabel('Display name').waitFor()
    const asked: string[] = []
    // Not the parts of the page that a link loads ahead when the pointer is over it.
    account.on('request', (request) => {
      const { pathname } = new URL(request.url())
      if (pathname.startsWith('/v1/')) asked.push(pathname)
    })
    await account.clock.runFor('02:00')
    asked.length = 0
    await account.clock.runFor('08:00:00')
    expect(asked).toEqual([])
    await account.mouse.move(50, 50)
    await expect.poll(() => asked).toEqual(['/v1/session'])
    await account.context().close()
  })
})
