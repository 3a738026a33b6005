import type { Page } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import type { Person } from '../../../src/postgres/index.ts'
import { expectAccessible, hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
let page: Page
let aoi: Person
let ken: Person
let roomId = ''

const composer = () => page.getByPlaceholder('Message workshop')
const said = (text: string) => page.locator('article[data-message]', { hasText: text }).first()
const open = (path: string) => page.goto(`${site.origin()}/chat${path}`)
const address = () => new URL(page.url())

async function choose(text: string, item: string): Promise<void> {
  await said(text).hover()
  await said(text).getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: item }).click()
}

describe.skipIf(!hasChromium)('what people keep at hand', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    aoi = await site.actor('aoi')
    ken = await site.actor('ken')
    roomId = (await chat.createRoom(site.app, aoi, { name: 'workshop' })).id
    await chat.joinRoom(site.app, ken, roomId)
    const first = await chat.postMessage(site.app, ken, roomId, { content: 'shall we meet?' })
    await chat.postMessage(site.app, ken, roomId, { content: 'at noon', replyToId: first.id })
    await chat.postMessage(site.app, ken, roomId, { content: 'something else' })
    page = await site.visit('aoi', {
      before: (fresh) => fresh.context().grantPermissions(['clipboard-read', 'clipboard-write']),
    })
    await open(`/rooms/${roomId}`)
    await said('something else').waitFor()
  })
  afterEach(() => expect(site.faults).toEqual([]))

  it('a pinned message is listed in the room, and leads to its place', async () => {
    await choose('shall we meet?', 'Pin to room')
    await page.getByRole('button', { name: 'Room details' }).click()
    await page.getByRole('tab', { name: 'Pins' }).click()
    const pinned = page
      .getByRole('dialog')
      .getByRole('listitem', { name: '' })
      .filter({ hasText: 'shall we meet?' })
    await pinned.waitFor()
    await expectAccessible(page)
    await pinned.getByRole('link').click()
    await page.locator('article[data-marked="true"]', { hasText: 'shall we meet?' }).waitFor()
    await choose('shall we meet?', 'Unpin from room')
    await expect.poll(async () => (await chat.listPins(site.app, ken, roomId)).length).toBe(0)
  })

  it('a saved message is listed until it is removed', async () => {
    await choose('at noon', 'Save for later')
    await page.getByRole('link', { name: 'Saved messages' }).click()
    await page.getByRole('listitem').filter({ hasText: 'at noon' }).getByText('workshop').waitFor()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Remove from saved messages' }).click()
    await page.getByText('No saved messages').waitFor()
  })

  it('a conversation is shown beside the room, and takes a reply', async () => {
    await open(`/rooms/${roomId}`)
    await choose('at noon', 'Show conversation')
    const panel = page.getByRole('dialog', { name: 'Conversation' })
    await panel.getByText('shall we meet?').first().waitFor()
    expect(await panel.getByText('something else').count()).toBe(0)
    await expectAccessible(page)
    await panel.getByPlaceholder('Reply to this conversation').fill('noon is fine')
    await page.keyboard.press('Enter')
    await panel.getByRole('listitem').filter({ hasText: 'noon is fine' }).waitFor()
    await page.keyboard.press('Escape')
    await said('noon is fine').getByTitle('In reply to ken').waitFor()
  })

  it('the link of a message leads to it, also from within a message', async () => {
    await choose('something else', 'Copy link')
    const link = await page.evaluate<string>('navigator.clipboard.readText()')
    await composer().fill(`see ${link} `)
    await composer().press('Enter')
    await said('see http').getByRole('link').click()
    await page.locator('article[data-marked="true"]', { hasText: 'something else' }).waitFor()
    expect(page.context().pages().length).toBe(1)
  })

  it('the arrow key opens the last message of one’s own for editing', async () => {
    await composer().fill('a tpyo ')
    await composer().press('Enter')
    await said('a tpyo').waitFor()
    await expect
      .poll(async () => (await chat.readHistory(site.app, aoi, roomId)).messages.at(-1)?.content)
      .toBe('a tpyo')
    await composer().focus()
    await page.keyboard.press('ArrowUp')
    await page.getByLabel('Edit message').fill('a typo')
    await page.keyboard.press('Enter')
    await said('a typo').waitFor()
  })

  it('an emoji is found by its name and its shortcode', async () => {
    await composer().fill('well done ')
    await page.getByRole('button', { name: 'Pick an emoji' }).last().click()
    const search = page.getByRole('searchbox', { name: 'Search emoji' })
    await search.fill('tada')
    const found = page.getByRole('group', { name: 'Results' })
    await found.getByRole('button', { name: /🎉/ }).waitFor()
    await search.press('Enter')
    expect(await composer().inputValue()).toBe('well done 🎉')
    await composer().fill('')
  })

  it('everyone in the room is mentioned by one word', async () => {
    await composer().fill('@everyone lunch? ')
    await composer().press('Enter')
    await expect
      .poll(async () => (await chat.readHistory(site.app, ken, roomId)).messages.at(-1))
      .toMatchObject({ content: '@everyone lunch?', mentions: [ken.userId] })
  })

  it('a favourite room stands above the others', async () => {
    await page.getByRole('button', { name: 'Favorite' }).click()
    const group = page.locator('section', { has: page.getByRole('heading', { name: 'Favorites' }) })
    await group.getByRole('link', { name: /workshop/ }).waitFor()
    await page.reload()
    await group.getByRole('link', { name: /workshop/ }).waitFor()
    await page.getByRole('button', { name: 'Favorite', pressed: true }).click()
    await group.waitFor({ state: 'detached' })
  })

  it('a room that is marked unread stays so until it is opened again', async () => {
    await choose('something else', 'Mark unread from here')
    await page
      .getByRole('link', { name: /workshop/ })
      .getByText(/unread message/)
      .waitFor()
    expect(address().pathname).toBe('/chat')
    await page.getByRole('link', { name: /workshop/ }).click()
    await page.getByText('New messages').waitFor()
  })

  it('the switcher goes to a room, a person and a search by the keyboard alone', async () => {
    await open('')
    await page.getByRole('link', { name: /workshop/ }).waitFor()
    await page.keyboard.press('Control+k')
    const field = page.getByRole('combobox', { name: 'Room, person or page' })
    await field.fill('WORK')
    await page.getByRole('option', { name: /workshop/ }).waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Enter')
    await composer().waitFor()
    await page.keyboard.press('Control+k')
    await field.fill('noon')
    await page.getByRole('option', { name: /Search messages for “noon”/ }).waitFor()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await page.locator('mark', { hasText: 'noon' }).first().waitFor()
    await page.keyboard.press('Control+k')
    await field.fill('ken')
    await page.getByRole('option', { name: /@ken/ }).click()
    await page.getByRole('heading', { name: 'ken', level: 1 }).waitFor()
  })

  it('a person’s card opens from their name', async () => {
    await open(`/rooms/${roomId}`)
    await said('shall we meet?').getByRole('button', { name: 'About ken' }).first().click()
    const card = page.getByRole('dialog', { name: 'ken' })
    await card.getByText('@ken').waitFor()
    await expectAccessible(page)
    await card.getByRole('button', { name: 'Message' }).click()
    await page.getByRole('heading', { name: 'ken', level: 1 }).waitFor()
  })
})
