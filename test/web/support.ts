import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'

const CHROMIUM = '/usr/bin/chromium'
export const hasChromium = existsSync(CHROMIUM)
/** Milliseconds for what the page shows next; machines that run several tests at once are slow. */
const WAIT_MS = 20_000

const root = fileURLToPath(new URL('../..', import.meta.url))
export const DIST = `${root}web/dist/`

/** The pages as their sources are now; call it at the top of a test file. */
export function builtPages(): void {
  beforeAll(async () => {
    await promisify(execFile)(process.execPath, ['web/build.ts'], { cwd: root })
  })
}

export interface Chromium {
  /** A page of a browser that knows nothing yet. What the console says of errors is in `faults`. */
  page(options?: BrowserContextOptions): Promise<Page>
  /** What went wrong in any page, but for answers that the page shows. */
  readonly faults: readonly string[]
}

/** One browser for the calling test file. */
export function openChromium(): Chromium {
  let launched: ReturnType<typeof chromium.launch> | undefined
  const faults: string[] = []
  afterAll(async () => (await launched)?.close())
  return {
    faults,
    page: async (options = {}) => {
      launched ??= chromium.launch({
        executablePath: CHROMIUM,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-component-update'],
      })
      const context = await (await launched).newContext({
        locale: 'en-US',
        // It would answer in place of what tests put between a page and the server.
        serviceWorkers: 'block',
        ...options,
      })
      const page = await context.newPage()
      page.setDefaultTimeout(WAIT_MS)
      page.on('pageerror', (error) => faults.push(error.message))
      page.on('console', (message) => {
        const refused = /^Failed to load resource: the server responded with a status of 4\d\d/
        if (message.type() === 'error' && !refused.test(message.text())) faults.push(message.text())
      })
      return page
    },
  }
}

const axe = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Finding {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** Fails where axe finds something serious in what the page shows now. */
export async function expectAccessible(page: Page): Promise<void> {
  // What fades in is judged once it is there.
  await page.evaluate(
    `Promise.allSettled(document.getAnimations()
      .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity).map(({ finished }) => finished))`,
  )
  await page.evaluate(await axe)
  const violations = await page.evaluate<readonly Finding[]>('axe.run().then((run) => run.violations)')
  const serious = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)}`)
  expect(serious, page.url()).toEqual([])
}
