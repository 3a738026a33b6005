import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible, hasChromium } from '../support.ts'
import { consoleSite, type Who } from './site.ts'

const site = consoleSite()

/** Sections by the name that the menu gives them. */
const watched = ['Overview', 'Audit trail', 'Proofs', 'Findings', 'Security events']
const everything = [...watched, 'Access', 'Data lifecycle', 'Query', 'Backups', 'Operations']
const menus: Readonly<Record<Exclude<Who, 'plain'>, readonly string[]>> = {
  admin: everything,
  security: [...watched, 'Access', 'Query', 'Operations'],
  auditor: everything,
}

const sectionsOf = (page: Page) =>
  page.getByRole('navigation', { name: 'Console' }).getByRole('link').and(page.locator('[href^="/console/"]'))

describe.skipIf(!hasChromium)('the console', { timeout: 120_000 }, () => {
  let page: Page

  beforeAll(async () => {
    page = await site.visit('admin', '/console')
  })

  it('shows each of its people the sections that they may see, none of which fails', async () => {
    for (const who of ['admin', 'security', 'auditor'] as const) {
      const theirs = who === 'admin' ? page : await site.visit(who, '/console')
      await sectionsOf(theirs).first().waitFor()
      expect(await sectionsOf(theirs).allTextContents(), who).toEqual(menus[who])
      for (const name of menus[who]) {
        await sectionsOf(theirs).filter({ hasText: name }).click()
        await theirs.getByRole('heading', { level: 1, name, exact: true }).waitFor()
        await theirs.waitForLoadState('networkidle')
        expect(await theirs.getByRole('main').getByRole('alert').count(), `${who}: ${name}`).toBe(0)
        expect(await theirs.title()).toBe(`${name} · Akashi 証`)
      }
      if (who !== 'admin') await theirs.context().close()
    }
  })

  it('has nothing for who may see nothing, and no way there', async () => {
    const theirs = await site.visit('plain', '/console/audit')
    await theirs.getByRole('heading', { name: 'Page not found' }).waitFor()
    expect(
      await theirs.getByRole('navigation', { name: 'Main' }).getByRole('link').allTextContents(),
    ).toEqual(['Chat', 'Account'])
    await theirs.context().close()
  })

  it('has no screen with a finding of axe, and none that is wider than a phone', async () => {
    for (const name of menus.admin) {
      await sectionsOf(page).filter({ hasText: name }).click()
      await page.getByRole('heading', { level: 1, name, exact: true }).waitFor()
      await page.waitForLoadState('networkidle')
      await expectAccessible(page)
    }
    const phone = await site.visit('auditor', '/console', {
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
      locale: 'ja-JP',
    })
    const links = phone
      .getByRole('navigation', { name: 'コンソール' })
      .getByRole('link')
      .and(phone.locator('[href^="/console/"]'))
    await links.first().waitFor()
    for (const link of await links.all()) {
      await link.click()
      await phone.waitForLoadState('networkidle')
      expect(
        await phone.getByRole('main').evaluate((main) => main.scrollWidth),
        phone.url(),
      ).toBeLessThanOrEqual(390)
    }
    await expectAccessible(phone)
    await phone.context().close()
  })

  it('shows every page of its screens without a fault', async () => {
    const pages = [
      '/console/findings/cases',
      '/console/findings/rules',
      '/console/findings/matrix',
      '/console/access/roles',
      '/console/access/keys',
      '/console/access/approvals',
      '/console/backups/drills',
      '/console/backups/runs',
      '/console/operations/alarms',
      '/console/operations/alarms?view=history',
      '/console/operations/alarms?view=silences',
      '/console/operations/alarms?view=watched&condition=disk',
      '/console/operations/doctor',
      '/console/operations/jobs?job=backup-full',
      '/console/operations/reports',
      '/console/operations/evidence',
      '/console/operations/keys',
      '/console/operations/witnesses',
      '/console/operations/cost',
    ]
    for (const path of pages) {
      await page.goto(`${site.url()}${path}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
      expect(await page.getByRole('main').getByRole('alert').count(), path).toBe(0)
      expect(await page.getByRole('heading', { name: 'Page not found' }).count(), path).toBe(0)
      await expectAccessible(page)
    }
    await page.goto(`${site.url()}/console/query`)
    await page.getByRole('textbox', { name: 'SQL' }).fill('select 1 + 1 as two')
    await page.keyboard.press('Control+Enter')
    await page.getByRole('columnheader', { name: 'two' }).waitFor()
    await page.getByRole('textbox', { name: 'SQL' }).fill('select nothing')
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByRole('main').getByRole('alert').waitFor()
  })

  it('says in words whether all is well, and takes points off for what is not', async () => {
    await sectionsOf(page).filter({ hasText: 'Overview' }).click()
    await page.getByText('No recovery drill has run').waitFor()
    expect(Number(await page.getByRole('meter').getAttribute('value'))).toBeLessThan(100)
    await page.getByRole('link', { name: /^Is the record proven\?/ }).click()
    await page.getByRole('heading', { level: 1, name: 'Proofs' }).waitFor()
  })

  it('leads to the status page, which leads back', async () => {
    await page.getByRole('link', { name: 'Status page' }).click()
    await page.getByRole('link', { name: 'Open the console' }).click()
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
  })

  describe('audit trail', () => {
    it('is searched by what is in the address, and with the keyboard alone', async () => {
      await page.goto(`${site.url()}/console/audit?table=akashi_auth.users`)
      // What was found narrows it further.
      await page.getByRole('button', { name: /^INSERT/ }).click()
      await page.waitForURL(/operation=INSERT/)
      const table = page.getByRole('table', { name: 'Audit trail' })
      await table.getByRole('button', { name: 'Created a row in akashi_auth.users' }).first().waitFor()
      // Until the answer is there, the rows of the wider search stay.
      await table
        .getByRole('button', { name: /^Changed/ })
        .first()
        .waitFor({ state: 'detached' })
      expect(await table.getByText('akashi_audit.protected_tables').count()).toBe(0)
      await table.locator('[data-row="0"]').focus()
      await page.keyboard.press('ArrowDown')
      expect(await table.locator(':focus').getAttribute('data-row')).toBe('1')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').getByText('Row ID').waitFor()
      await expectAccessible(page)
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await page.getByRole('button', { name: /^INSERT/ }).click()
      await page.waitForURL((url) => !url.searchParams.has('operation'))
    })

    it('shows how a record was at each of its versions', async () => {
      await page.getByRole('button', { name: 'Changed a row in akashi_auth.users' }).first().click()
      await page.getByRole('link', { name: 'History of this record' }).click()
      await page.getByRole('heading', { level: 1, name: 'Record history' }).waitFor()
      await page.getByRole('button', { name: /^1\s*Created a row/ }).click()
      expect(await page.getByRole('slider').getAttribute('aria-valuenow')).toBe('0')
      await page.getByRole('slider').press('ArrowRight')
      await page.getByRole('columnheader', { name: 'Before' }).waitFor()
      await expectAccessible(page)
    })

    it('proves a row, and knows a file in which it was changed', async () => {
      await page.getByRole('button', { name: 'Prove this row' }).click()
      await page.getByText('Proven', { exact: true }).waitFor()
      expect(await page.getByRole('img', { name: 'Passed' }).count()).toBe(5)
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download proof' }).click(),
      ])
      const proof = await readFile(await download.path(), 'utf8')
      await sectionsOf(page).filter({ hasText: 'Proofs' }).click()
      const give = (text: string) =>
        page.locator('input[type="file"]').setInputFiles({
          name: 'proof.json',
          mimeType: 'application/json',
          buffer: Buffer.from(text),
        })
      await page.getByRole('button', { name: 'Choose a file' }).waitFor()
      await page.waitForLoadState('networkidle')
      await give(proof)
      await page.getByText('Proven', { exact: true }).waitFor()
      await give(proof.replace('"operation": "UPDATE"', '"operation": "INSERT"'))
      await page.getByText('Not proven', { exact: true }).waitFor()
      await expectAccessible(page)
      // Somebody else's key proves nothing.
      await give(proof)
      await page.getByText('Proven', { exact: true }).waitFor()
      await page.getByRole('textbox', { name: 'Trusted keys' }).fill('x+00000000+AQ==')
      await page.getByText('Not proven', { exact: true }).waitFor()
    })
  })

  it('shares evidence by a link with somebody without an account, until it is revoked', async () => {
    await page.goto(`${site.url()}/console/operations/evidence`)
    await page.getByText('No links').waitFor()
    await page.getByRole('button', { name: 'Share evidence…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: 'Reason' }).fill('Kato & Co., audit')
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Share evidence…' }).click()
    const address = (await dialog.locator('code').textContent()) ?? ''
    expect(address).toMatch(/\/evidence#[\w-]{43}$/)
    await dialog.getByRole('button', { name: 'Close' }).last().click()
    await page.getByText('Kato & Co., audit').waitFor()
    const auditor = await site.visitUnknown(address)
    await auditor.getByRole('heading', { level: 1, name: 'Evidence shared with you' }).waitFor()
    expect(auditor.url()).toBe(`${site.url()}/evidence`)
    await auditor.getByRole('button', { name: 'Check and show the rows' }).click()
    await auditor.getByText('Every row is proven by the signature of the log').waitFor()
    await auditor.getByRole('searchbox', { name: 'Filter rows' }).fill('akashi_auth.users')
    await auditor.getByRole('table', { name: 'Rows' }).getByRole('button').first().waitFor()
    await expectAccessible(auditor)
    const [download] = await Promise.all([
      auditor.waitForEvent('download'),
      auditor.getByRole('button', { name: 'Download the evidence file' }).click(),
    ])
    expect(await readFile(await download.path(), 'utf8')).toContain('id="evidence-document"')
    await page.getByRole('button', { name: 'Revoke' }).click()
    await dialog.getByRole('textbox', { name: 'Reason' }).fill('done')
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('table', { name: 'Evidence links' }).getByText('Revoked').waitFor()
    await auditor.reload()
    await auditor.getByRole('heading', { level: 1, name: 'This link is not valid' }).waitFor()
    await expectAccessible(auditor)
    await auditor.context().close()
  })

  it('was never refused by the content security policy, and threw nothing', () => {
    expect(site.faults).toEqual([])
  })
})
