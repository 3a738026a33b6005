import type { Page } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import type { Person } from '../../../src/postgres/index.ts'
import { expectAccessible, hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
let page: Page
let nao: Person
let roomId = ''

const said = (text: string) => page.locator('article', { hasText: text }).first()
const composer = () => page.getByRole('textbox', { name: 'Message vault' })

describe.skipIf(!hasChromium)('an encrypted room', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    nao = await site.actor('nao')
    page = await site.visit('rika')
  })
  afterEach(() => expect(site.faults).toEqual([]))

  it('is made by a switch of private rooms, and shows what it is and cannot do', async () => {
    await page.getByRole('button', { name: 'New room' }).click()
    await page.getByLabel('Name').fill('vault')
    expect(await page.getByLabel('Encrypt messages').count()).toBe(0)
    await page.getByLabel('Private').check()
    await page.getByLabel('Encrypt messages').check()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: 'vault', level: 1 }).waitFor()
    roomId = new URL(page.url()).pathname.split('/').at(-1) ?? ''
    expect(await page.locator('header').getByRole('img', { name: 'Encrypted room' }).count()).toBe(1)
    await page.getByText('Encrypted, not searchable').waitFor()
    expect(await page.getByRole('button', { name: 'Attach files' }).count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Search this room' }).count()).toBe(0)
    await expectAccessible(page)
  })

  it('carries what members write, live and after a reload', async () => {
    const invitation = await site.secrets.invite(await site.actor('rika'), roomId, nao.userId)
    await chat.answerInvitation(site.app, nao, invitation, true)
    await composer().fill('for two')
    await composer().press('Enter')
    await said('for two').waitFor()
    await site.secrets.post(nao, roomId, { content: '了解しました' })
    site.bus.announce({ about: 'room', roomId })
    await said('了解しました').waitFor()
    await page.reload()
    await said('for two').waitFor()
    await page.locator('nav').getByText('nao: 了解しました').waitFor()
    // Pasted files are told off.
    await page.evaluate(`(() => {
      const clipboardData = new DataTransfer()
      clipboardData.items.add(new File(['x'], 'a.txt', { type: 'text/plain' }))
      const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })
      document.querySelector('form textarea').dispatchEvent(paste)
    })()`)
    await page.getByText('Files can’t be sent in encrypted rooms.').waitFor()
  })

  it('is left out of the search, which says so', async () => {
    await page.goto(`${site.origin()}/chat/search?q=two`)
    await page.getByText('1 encrypted room was not searched.').waitFor()
    await page.goto(`${site.origin()}/chat/search?q=two&room=${roomId}`)
    await page.getByText('Encrypted rooms can’t be searched.').waitFor()
  })

  it('says before it is deleted that nothing can be read again', async () => {
    await page.goto(`${site.origin()}/chat/rooms/${roomId}`)
    await page.getByRole('button', { name: 'Room details' }).click()
    await page.getByRole('button', { name: 'Delete room' }).click()
    await page.getByText('Its key is destroyed').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete room' }).last().click()
    await page.waitForURL(`${site.origin()}/chat`)
  })
})
