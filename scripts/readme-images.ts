/**
 * Takes the pictures of the README from the sample workspace, in both languages, on a desktop and a phone, of its
 * status page, and of the console.
 * `node scripts/readme-images.ts` writes docs/images; `--check` takes them too, writes nothing, and fails where
 * a page does not show what its picture is of, or the README shows another picture.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expectMentioned, expectPicture } from './readme-images/picture.ts'
import { CHROMIUM, type Look, openWorkspace, type Workspace } from './readme-images/workspace.ts'

const FOLDER = 'docs/images'
const ASK_MS = 100
const ASK_TIMES = 200

interface Picture extends Look {
  /** Without `.png`. */
  readonly name: string
  readonly person: string
  readonly room: RegExp
  /** All of it can be seen in the picture. */
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

const statusPages = [
  { name: 'status-en', locale: 'en', shows: 'Verified: the record is unchanged' },
  { name: 'status-ja', locale: 'ja', shows: '検証済み：記録は書き換えられていません' },
] as const
/** Four screens of the console with words that each shows. */
const screens = [
  {
    name: 'console-overview',
    path: '/console/overview',
    en: 'Is the record proven?',
    ja: '記録は証明されているか',
  },
  {
    name: 'console-audit',
    path: '/console/audit',
    en: 'Who changed what, when and from where.',
    ja: '誰が、いつ、どこから、何を変更したか。',
  },
  { name: 'console-access', path: '/console/access/roles', en: 'Permission matrix', ja: '権限マトリクス' },
  {
    name: 'console-alarms',
    path: '/console/operations/alarms?view=watched',
    en: 'Conditions',
    ja: '監視項目',
  },
] as const
const consoleScreens = screens.flatMap(({ name, path, ...shows }) =>
  (['en', 'ja'] as const).map((locale) => ({
    name: `${name}-${locale}`,
    path,
    locale,
    shows: shows[locale],
  })),
)
const STATUS_SIZE = { width: 1_100, height: 1_000 }

/** Every picture with the width that it has. */
const all = [
  ...pictures.map(({ name, locale, phone = false }) => ({ name, locale, width: phone ? 390 : 1_280 })),
  ...statusPages.map(({ name, locale }) => ({ name, locale, width: STATUS_SIZE.width })),
  ...consoleScreens.map(({ name, locale }) => ({ name, locale, width: 1_280 })),
]

const words = {
  en: { edited: 'edited', composer: /^Message / },
  ja: { edited: '編集済み', composer: /へのメッセージ$/ },
}

async function take(workspace: Workspace, picture: Picture, folder: string): Promise<void> {
  const page = await workspace.visit(picture.person, '/chat', picture)
  await page.getByRole('link', { name: picture.room }).first().click()
  await page.getByText(words[picture.locale].edited).first().waitFor()
  await page.getByRole('textbox', { name: words[picture.locale].composer }).waitFor()
  // The picture of the conversation is checked by the worker first.
  await page.locator('article img').first().waitFor()
  await until(
    page,
    `[...document.querySelectorAll('img')].every((one) => one.complete && one.naturalWidth > 0)`,
  )
  // On the first visit the room opens at the first message; the picture shows the newest.
  await page.locator('section[tabindex="0"]').press('End')
  await until(page, `document.querySelector('section[tabindex="0"]').scrollTop > -2`)
  // Neither the ring of the focus nor what a pointer brings up.
  await page.locator('section[tabindex="0"]').blur()
  await page.mouse.move(0, 0)
  await page.locator('article[data-active="true"]').waitFor({ state: 'detached' })
  for (const text of picture.shows) await expectVisible(page, text)
  await page.screenshot({ path: join(folder, `${picture.name}.png`) })
  await page.context().close()
}

async function takeStatus(
  workspace: Workspace,
  { name, locale, shows }: (typeof statusPages)[number],
  folder: string,
): Promise<void> {
  const page = await workspace.page({ locale, size: STATUS_SIZE })
  await page.goto(`${workspace.url}/status/`)
  await page.getByRole('heading', { name: shows }).waitFor()
  await page.screenshot({ path: join(folder, `${name}.png`) })
  await page.context().close()
}

async function takeScreen(
  workspace: Workspace,
  { name, path, locale, shows }: (typeof consoleScreens)[number],
  folder: string,
): Promise<void> {
  const page = await workspace.visitAsAdmin(path, { locale })
  await page.getByRole('main').getByText(shows).first().waitFor()
  // Placeholders give way to what is there, and charts are drawn.
  await until(page, `document.querySelector('main [role="status"], main .mantine-Skeleton-root') === null`)
  await page.screenshot({ path: join(folder, `${name}.png`) })
  await page.context().close()
}

/** Asks the page again and again: its policy forbids the function that would wait inside of it. */
async function until(page: Page, expression: string): Promise<void> {
  for (let asked = 0; asked < ASK_TIMES; asked += 1) {
    if (await page.evaluate<boolean>(expression)) return
    await page.waitForTimeout(ASK_MS)
  }
  throw new Error(`it is never true that ${expression}`)
}

async function expectVisible(page: Page, text: string | RegExp): Promise<void> {
  const place = await page.locator('article').getByText(text).first().boundingBox()
  const size = page.viewportSize()
  if (place === null || size === null || place.y < 0 || place.y + place.height > size.height) {
    throw new Error(`the picture does not show ${String(text)}`)
  }
}

const check = process.argv.includes('--check')
if (check && !existsSync(CHROMIUM) && process.env['CI'] !== 'true') {
  console.log(`left out: ${CHROMIUM} is not installed`)
  process.exit(0)
}
const folder = check ? await mkdtemp(join(tmpdir(), 'akashi-images-out-')) : FOLDER
const workspace = await openWorkspace()
try {
  for (const picture of pictures) await take(workspace, picture, folder)
  await workspace.verify()
  for (const picture of statusPages) await takeStatus(workspace, picture, folder)
  for (const picture of consoleScreens) await takeScreen(workspace, picture, folder)
  for (const { name, width } of all) await expectPicture(join(folder, `${name}.png`), width)
  for (const { name, locale, width } of all) {
    const readme = await readFile(locale === 'ja' ? 'README.ja.md' : 'README.md', 'utf8')
    expectMentioned(readme, `${FOLDER}/${name}.png`)
    await expectPicture(join(FOLDER, `${name}.png`), width)
  }
  console.log(`${all.length} pictures ${check ? 'are as the README shows' : `in ${FOLDER}`}`)
} finally {
  await workspace.close()
  if (check) await rm(folder, { recursive: true, force: true })
}
