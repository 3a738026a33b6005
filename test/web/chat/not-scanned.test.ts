import { describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import { hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite({ scansFiles: false })

describe.skipIf(!hasChromium)('on a server without a scanner', { timeout: 120_000 }, () => {
  it.each([
    ['en', 'File scanning isn’t set up. Files stay hidden until an administrator sets it up.'],
    ['ja', 'ファイルの検査が設定されていないため、管理者が設定するまで表示されません。'],
  ] as const)('files say that they stay hidden, to their sender and others (%s)', async (locale, text) => {
    const sora = await site.actor(`sora-${locale}`)
    const other = await site.actor(`other-${locale}`)
    const { id } = await chat.createRoom(site.app, sora, { name: 'files' })
    await chat.joinRoom(site.app, other, id)
    const [sender, reader] = await Promise.all([
      site.visit(`sora-${locale}`, { locale }),
      site.visit(`other-${locale}`, { locale }),
    ])
    for (const page of [sender, reader]) await page.goto(`${site.origin()}/chat/rooms/${id}`)
    const buffer = Buffer.from('plans')
    await sender
      .locator('input[type=file]')
      .setInputFiles({ name: 'plans.txt', mimeType: 'text/plain', buffer })
    await sender.getByRole('button', { name: locale === 'en' ? 'Send' : '送信', exact: true }).click()
    for (const page of [sender, reader]) {
      await page.locator('article').getByText(text).waitFor()
      expect(await page.locator('article [class*="Loader"]').count()).toBe(0)
    }
    await sender.locator('article').getByText('plans.txt').waitFor()
    expect(site.faults).toEqual([])
  })
})
