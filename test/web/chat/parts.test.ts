import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import { DIST, hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
let roomId = ''

/** The address of a part's script. */
async function scriptOf(source: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(DIST, 'manifest.json'), 'utf8'))
  return `**/${manifest[source].file}`
}

/** The browser never gets idle, so that no part is loaded before it is needed. */
const neverIdle = (page: Page) => page.addInitScript('window.requestIdleCallback = () => 0')
const composer = (page: Page) => page.getByRole('textbox', { name: /^Message / })

describe.skipIf(!hasChromium)('a part of the pages', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    const saki = await site.actor('saki')
    roomId = (await chat.createRoom(site.app, saki, { name: 'harbour' })).id
  })

  it('that cannot be loaded is loaded again, and leaves the rest of the chat alone', async () => {
    const page = await site.visit('saki', { before: neverIdle })
    const search = await scriptOf('src/chat/parts/search-page.tsx')
    let requests = 0
    await page.route(search, (route) => {
      requests += 1
      return route.fulfill({ status: 404 })
    })
    await page.getByRole('link', { name: /harbour/ }).click()
    await composer(page).fill('not lost')
    await page.getByRole('link', { name: 'Search', exact: true }).click()
    const alert = page.getByRole('alert')
    await alert.getByText('This page couldn’t be loaded.').waitFor()
    expect(requests).toBeGreaterThan(1)
    await alert.getByRole('button', { name: 'Reload page' }).waitFor()
    // The conversations are there, and the page can be left for another.
    await page.getByRole('link', { name: /harbour/ }).click()
    expect(await composer(page).inputValue()).toBe('not lost')
    await page.getByRole('link', { name: 'Search', exact: true }).click()
    await alert.waitFor()
    await page.unroute(search)
    await alert.getByRole('button', { name: 'Try again' }).click()
    await page.getByLabel('Search messages').waitFor()
    await page.context().close()
  })

  it('that is a dialog says so, and the room stays', async () => {
    const page = await site.visit('saki', { before: neverIdle })
    const details = await scriptOf('src/chat/parts/room-details.tsx')
    await page.route(details, (route) => route.fulfill({ status: 404 }))
    await page.goto(`${site.origin()}/chat/rooms/${roomId}`)
    await page.getByRole('button', { name: 'Room details' }).click()
    await page.getByText('This page couldn’t be loaded.').waitFor()
    await composer(page).fill('still here')
    await page.unroute(details)
    await page.getByRole('button', { name: 'Room details' }).click()
    await page.getByRole('dialog').getByText('Leave room').waitFor()
    await page.context().close()
  })

  it('comes back by itself with the network', async () => {
    const page = await site.visit('saki', { before: neverIdle })
    await page.getByRole('link', { name: /harbour/ }).waitFor()
    await page.context().setOffline(true)
    await page.getByRole('link', { name: 'Account' }).first().click()
    await page.getByText('This page couldn’t be loaded.').waitFor()
    await page.context().setOffline(false)
    await page.getByRole('heading', { name: 'Profile', level: 1 }).waitFor()
    await page.context().close()
  })

  it('is there without the network, once the browser had time for it', async () => {
    const loaded = new Set<string>()
    const page = await site.visit('saki', {
      before: async (fresh) => fresh.on('requestfinished', (request) => loaded.add(request.url())),
    })
    const account = (await scriptOf('src/account/index.tsx')).slice(2)
    await expect.poll(() => [...loaded]).toContain(`${site.origin()}${account}`)
    await page.waitForLoadState('networkidle')
    await page.context().setOffline(true)
    await page.getByRole('link', { name: 'Public rooms' }).click()
    await page.getByRole('heading', { name: 'Public rooms', level: 1 }).waitFor()
    await page.getByRole('button', { name: 'New room' }).click()
    await page.getByRole('dialog', { name: 'New room' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'Account' }).first().click()
    await page.getByRole('heading', { name: 'Profile', level: 1 }).waitFor()
    await page.context().close()
  })

  it('is there without the network in a browser that keeps the pages, which keeps nothing of anybody', async () => {
    const page = await site.visit('saki', { before: neverIdle, keepsPages: true })
    await page.evaluate('navigator.serviceWorker.ready')
    const kept = await page.evaluate<readonly string[]>(
      `caches.keys().then(async (names) =>
         (await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)))).flat())`,
    )
    const paths = kept.map((url) => new URL(url).pathname)
    expect(paths).toContain('/')
    expect(paths).toContain((await scriptOf('src/account/index.tsx')).slice(2))
    expect(paths.filter((path) => !/^\/(|scheme\.js|seal\.svg|assets\/[\w.-]+)$/.test(path))).toEqual([])
    // The worker answers for this page from the next load on.
    await page.reload()
    await page.getByRole('link', { name: /harbour/ }).waitFor()
    await page.context().setOffline(true)
    await page.getByRole('link', { name: 'Account' }).first().click()
    await page.getByRole('link', { name: 'Security' }).waitFor()
    await page.goto(`${site.origin()}/chat/search`)
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).waitFor()
    await expect(page.goto(`${site.origin()}/status/`)).rejects.toThrow()
    await page.context().setOffline(false)
    await page.goto(`${site.origin()}/chat`)
    await page.getByRole('link', { name: /harbour/ }).waitFor()
    expect(paths).toHaveLength(
      (
        await page.evaluate<readonly string[]>(
          'caches.keys().then(async ([name]) => (await (await caches.open(name)).keys()).map(({ url }) => url))',
        )
      ).length,
    )
    await page.context().close()
  })
})
