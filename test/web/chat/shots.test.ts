import { mkdirSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../../src/chat/index.ts'
import { expectAccessible, hasChromium } from '../support.ts'
import { testSite } from './site.ts'

const site = testSite()
const OUT = '/tmp/shots'
let roomId = ''

beforeAll(async () => {
  mkdirSync(OUT, { recursive: true })
  const aoi = await site.actor('aoi')
  const ken = await site.actor('ken')
  const room = await chat.createRoom(site.app, aoi, {
    name: '開発チーム',
    description: '監査台帳の開発について話す場所。毎朝 10 時に朝会。',
  })
  roomId = room.id
  await chat.createRoom(site.app, aoi, { name: 'general', description: 'Everything that is for everybody.' })
  await chat.createRoom(site.app, ken, { name: 'ユーザーからの声' })
  const secret = await chat.createRoom(site.app, ken, {
    name: 'incident-2026-11',
    type: 'private',
    description: 'Post-mortem of the certificate that expired.',
  })
  await chat.invite(site.app, ken, secret.id, aoi.userId)
  await chat.joinRoom(site.app, ken, roomId)
  const direct = await chat.openDirectRoom(site.app, ken, aoi.userId)
  const say = (who: { userId: string }, content: string, more = {}) =>
    chat.postMessage(site.app, who, roomId, { content, ...more })
  await say(aoi, 'おはようございます。昨日の封印の件、確認できました。')
  const first = await say(
    ken,
    'Good morning! The witness answered within 200 ms all night. Graphs: https://status.example.com/witness?from=yesterday',
  )
  await say(ken, 'I also found out why the export was slow.')
  await say(aoi, '素晴らしい! 原因は何でしたか?', { replyToId: first.id })
  const long = await say(
    ken,
    'The planner looked at all 400 partitions.\n\n1. we name the partition ourselves\n2. the plan is cached\n3. it now takes 0.4 ms instead of 10\n\n@aoi could you look at the change before noon?',
    { mentions: [aoi.userId] },
  )
  await chat.setReaction(site.app, aoi, long.id, '👍', true)
  await chat.setReaction(site.app, aoi, long.id, '🎉', true)
  await chat.setReaction(site.app, ken, long.id, '🎉', true)
  const mine = await say(aoi, 'はい、11 時までに見ます。')
  await chat.editMessage(site.app, aoi, mine.id, { content: 'はい、11 時半までに見ます。' })
  const gone = await say(ken, 'wrong room, sorry')
  await chat.deleteMessage(site.app, ken, gone.id)
  await chat.postMessage(site.app, ken, direct.id, { content: '昼ごはん、一緒にどうですか?' })
})

describe.skipIf(!hasChromium)('pictures', () => {
  for (const locale of ['ja', 'en'] as const)
    for (const phone of [false, true])
      for (const scheme of ['light', 'dark'] as const)
        it(`${locale} ${phone} ${scheme}`, async () => {
          const page = await site.visit('aoi', { locale, phone, scheme })
          const name = `${OUT}/${locale}-${phone ? 'phone' : 'desktop'}-${scheme}`
          await page.waitForSelector('nav a[href*="rooms"]')
          await page.waitForTimeout(300)
          await page.screenshot({ path: `${name}-list.png` })
          const wrong: string[] = []
          const check = async (where: string) => {
            await expectAccessible(page).catch((error: unknown) => wrong.push(`${where} ${error}`))
          }
          await check('list')
          await page.goto(`${site.origin()}/chat/rooms/${roomId}`)
          await page.waitForSelector('article')
          await page.locator('article').nth(4).hover()
          await page.waitForTimeout(300)
          await page.screenshot({ path: `${name}-room.png` })
          await check('room')
          for (const path of ['directory', 'notifications', `search?q=${encodeURIComponent('封印')}`]) {
            await page.goto(`${site.origin()}/chat/${path}`)
            await page.waitForTimeout(900)
            await page.screenshot({ path: `${name}-${path.split('?')[0]}.png` })
            await check(path)
          }
          await page.goto(`${site.origin()}/chat/rooms/${roomId}`)
          await page.waitForSelector('article')
          await page
            .getByRole('button', { name: locale === 'ja' ? 'ルームの詳細' : 'Details of the room' })
            .click()
          await page.waitForTimeout(400)
          await page.screenshot({ path: `${name}-details.png` })
          await check('details')
          await page.getByRole('tab').nth(1).click()
          await page.waitForTimeout(400)
          await page.screenshot({ path: `${name}-members.png` })
          await check('members')
          await page.context().close()
          expect(site.faults).toEqual([])
          expect(wrong).toEqual([])
        })
})
