import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen, status, testApp } from './support.ts'

const CHROMIUM = '/usr/bin/chromium'
/** Milliseconds of the page's own clock, which Chromium lets run ahead when nothing is under way. */
const PAGE_TIME_MS = 4_000
const markup = '<img src=x onerror="document.title=\'owned\'">'
const app = testApp({ systemStatus: async () => ({ ...status, protectedTables: [markup] }) })
const run = promisify(execFile)
let port = 0
let profile = ''

beforeAll(async () => {
  port = await listen(app)
  profile = await mkdtemp(join(tmpdir(), 'akashi-chromium-'))
})

afterAll(async () => {
  await app.close()
  await rm(profile, { recursive: true, force: true })
})

async function dump(path: string, language: string): Promise<{ dom: string; console: string }> {
  const { stdout, stderr } = await run(
    CHROMIUM,
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--enable-logging=stderr',
      `--user-data-dir=${join(profile, language + path.replaceAll('/', '-'))}`,
      `--accept-lang=${language}`,
      `--virtual-time-budget=${PAGE_TIME_MS}`,
      '--dump-dom',
      `http://127.0.0.1:${port}${path}`,
    ],
    { maxBuffer: 16 * 1024 * 1024 },
  )
  return { dom: stdout, console: stderr }
}

describe.skipIf(!existsSync(CHROMIUM))('in Chromium', () => {
  it('shows every field of the status, names as text', async () => {
    const { dom, console } = await dump('/status/', 'en')
    expect(console).not.toContain('Content Security Policy')
    expect(dom).toContain('<title>Akashi 証</title>')
    expect(dom).toContain('&lt;img src=x')
    expect(dom).not.toContain('<img src="x"')
    for (const text of [
      '519',
      '12',
      'audit_logs',
      'security_events',
      'ab'.repeat(32),
      'cd'.repeat(32),
      '19',
    ]) {
      expect(dom).toContain(`>${text}<`)
    }
    expect(dom).toContain('Verified: the record is unchanged')
    expect(dom).toContain('until Feb 2, 2026')
  })

  it('speaks Japanese', async () => {
    const { dom } = await dump('/status/', 'ja')
    expect(dom).toContain('<html lang="ja">')
    expect(dom).toContain('検証済み')
  })

  it('renders the API documentation under the same policy', async () => {
    const { dom } = await dump('/docs', 'en')
    expect(dom).toContain('opblock-summary-path')
    expect(dom).toContain('data-path="/v1/status"')
  })
})
