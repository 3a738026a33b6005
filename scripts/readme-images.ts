/**
 * Takes the screenshots of the README from the sample workspace, in both languages, on desktop and phone.
 * `node scripts/readme-images.ts` writes docs/images; `--check` takes them without writing, and fails if a page
 * does not show the expected content or the README lacks a screenshot.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { CHROMIUM, type Look, openWorkspace, type Workspace } from './readme-images/workspace.ts'

const FOLDER = 'docs/images'
const ASK_MS = 100
const ASK_TIMES = 200

interface Picture extends Look {
  /** Without `.png`. */
  readonly name: string
  readonly person: string
  readonly room: RegExp
  /** Texts that must be visible in the screenshot. */
  readonly shows: readonly (string | RegExp)[]
}

const room = {
  person: 'ken',
  room: /general/,
  shows: ['助かります。金曜の 15:30 にお願いします。', /verifies, I attach the numbers/],
}
const pictures: readonly Picture[] = [
  { ...room, name: 'chat-en', locale: 'en' },
  { ...room, name: 'chat-ja', locale: 'ja' },
  { ...room, name: 'chat-en-phone', locale: 'en', phone: true },
  { ...room, name: 'chat-ja-phone', locale: 'ja', phone: true, scheme: 'dark' },
]

const words = {
  en: { edited: 'edited', composer: /^Message to/ },
  ja: { edited: '編集済み', composer: /へのメッセージ$/ },
}

async function take(workspace: Workspace, picture: Picture, folder: string): Promise<void> {
  const page = await workspace.visit(picture.person, '/chat', picture)
  await page.getByRole('link', { name: picture.room }).first().click()
  await page.getByText(words[picture.locale].edited).first().waitFor()
  await page.getByRole('textbox', { name: words[picture.locale].composer }).waitFor()
  // The worker must scan the image in the conversation first.
  await page.locator('article img').first().waitFor()
  await until(
    page,
    `[...document.querySelectorAll('img')].every((one) => one.complete && one.naturalWidth > 0)`,
  )
  // The first visit shows the first message; the screenshot shows the newest.
  await page.locator('section[tabindex="0"]').press('End')
  await until(page, `document.querySelector('section[tabindex="0"]').scrollTop > -2`)
  // Hides the focus ring and hover effects.
  await page.locator('section[tabindex="0"]').blur()
  await page.mouse.move(0, 0)
  await page.locator('article[data-active="true"]').waitFor({ state: 'detached' })
  for (const text of picture.shows) await expectVisible(page, text)
  await page.screenshot({ path: join(folder, `${picture.name}.png`) })
  await page.context().close()
}

/** Polls the page: its content security policy forbids waitForFunction. */
async function until(page: Page, expression: string): Promise<void> {
  for (let asked = 0; asked < ASK_TIMES; asked += 1) {
    if (await page.evaluate<boolean>(expression)) return
    await page.waitForTimeout(ASK_MS)
  }
  throw new Error(`timed out waiting for ${expression}`)
}

async function expectVisible(page: Page, text: string | RegExp): Promise<void> {
  const place = await page.locator('article').getByText(text).first().boundingBox()
  const size = page.viewportSize()
  if (place === null || size === null || place.y < 0 || place.y + place.height > size.height) {
    throw new Error(`the screenshot does not show ${String(text)}`)
  }
}

/** Checks that the screenshot has the size of the page and is not a single colour. */
async function expectPicture(path: string, phone: boolean): Promise<void> {
  const image = sharp(path)
  const [{ width }, { entropy }] = [await image.metadata(), await image.stats()]
  if (width !== (phone ? 390 : 1280) || entropy < 0.5)
    throw new Error(`${path} is not a screenshot of a page`)
}

async function expectMentioned(): Promise<void> {
  for (const { name, locale, phone = false } of pictures) {
    const readme = await readFile(locale === 'ja' ? 'README.ja.md' : 'README.md', 'utf8')
    if (!readme.includes(`${FOLDER}/${name}.png`)) throw new Error(`${name} is not in the README`)
    await expectPicture(join(FOLDER, `${name}.png`), phone)
  }
}

const check = process.argv.includes('--check')
if (check && !existsSync(CHROMIUM) && process.env['CI'] !== 'true') {
  console.log(`skipped: ${CHROMIUM} is not installed`)
  process.exit(0)
}
const folder = check ? await mkdtemp(join(tmpdir(), 'akashi-images-out-')) : FOLDER
const workspace = await openWorkspace()
try {
  for (const picture of pictures) {
    await take(workspace, picture, folder)
    await expectPicture(join(folder, `${picture.name}.png`), picture.phone ?? false)
  }
  await expectMentioned()
  console.log(`${pictures.length} screenshots ${check ? 'match the README' : `written to ${FOLDER}`}`)
} finally {
  await workspace.close()
  if (check) await rm(folder, { recursive: true, force: true })
}
