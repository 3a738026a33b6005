import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { overSocket } from '../http/client.ts'
import { testApp } from '../http/support.ts'
import { builtPages, DIST } from './support.ts'

/** Bytes of script, compressed, that a page may load before it shows. */
const BUDGET_BYTES = 250 * 1_024
const CONSOLE_BUDGET_BYTES = 300 * 1_024

builtPages()

type Manifest = Readonly<
  Record<string, { readonly file: string; readonly imports?: readonly string[]; readonly isEntry?: boolean }>
>

async function firstLoad(...starts: readonly string[]): Promise<number> {
  const manifest = JSON.parse(await readFile(join(DIST, 'manifest.json'), 'utf8')) as Manifest
  const wanted = new Set<string>()
  const add = (name: string) => {
    const chunk = manifest[name]
    if (chunk === undefined) throw new Error(`the build has no ${name}`)
    if (wanted.has(chunk.file)) return
    wanted.add(chunk.file)
    for (const each of chunk.imports ?? []) add(each)
  }
  for (const start of starts) add(start)
  const sizes = await Promise.all(
    [...wanted].map(async (file) => gzipSync(await readFile(join(DIST, file))).length),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

describe('the built pages', () => {
  it.each(['src/sign-in/index.tsx', 'src/chat/index.tsx', 'src/account/index.tsx'])(
    'load at most 250 KB of script for %s',
    async (page) => {
      expect(await firstLoad('index.html', page)).toBeLessThanOrEqual(BUDGET_BYTES)
    },
  )

  it.each(['overview', 'audit', 'proofs', 'findings', 'access', 'backups', 'operations'])(
    'load at most 300 KB of script for the console’s %s',
    async (screen) => {
      const part = `src/console/${screen}/index.tsx`
      expect(await firstLoad('index.html', 'src/console/load.ts', part)).toBeLessThanOrEqual(
        CONSOLE_BUDGET_BYTES,
      )
    },
  )

  it('have no script or style inline', async () => {
    const html = await readFile(join(DIST, 'index.html'), 'utf8')
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/i)
    for (const [tag] of html.matchAll(/<script[^>]*>/g)) expect(tag).toContain(' src="/')
  })

  it('are asked for each time at addresses that stay, and kept for ever where the name is of the content', async () => {
    const app = testApp()
    for (const path of ['/', '/sign-in', '/chat', '/chat/some/room', '/account/security', '/console/audit']) {
      const answer = await overSocket(app, path)
      expect(answer.statusCode, path).toBe(200)
      expect(answer.headers['content-type'], path).toMatch(/^text\/html/)
      expect(answer.headers['cache-control'], path).toBe('no-cache')
      expect(answer.headers['content-security-policy'], path).toContain("script-src 'self';style-src 'self'")
      const again = await overSocket(app, {
        url: path,
        headers: { 'if-none-match': String(answer.headers['etag']) },
      })
      expect(again.statusCode, path).toBe(304)
    }
    const [script] = (await readdir(join(DIST, 'assets'))).filter((name) => name.endsWith('.js'))
    const asset = await overSocket(app, { url: `/assets/${script}`, headers: { 'accept-encoding': 'gzip' } })
    expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect((await overSocket(app, '/nowhere')).statusCode).toBe(404)
    expect((await overSocket(app, '/assets/nothing.js')).statusCode).toBe(404)
    for (const folder of ['/assets', '/assets/']) expect((await overSocket(app, folder)).statusCode).toBe(404)
  })

  it('can be installed: a manifest with icons, and a worker that is asked for each time', async () => {
    const app = testApp()
    const manifest = await overSocket(app, '/manifest.webmanifest')
    expect(manifest.headers['content-type']).toMatch(/^application\/manifest\+json/)
    const {
      icons,
      start_url: start,
      scope,
    } = manifest.json<{
      icons: readonly { src: string; type: string }[]
      start_url: string
      scope: string
    }>()
    expect([start, scope]).toEqual(['/chat', '/'])
    for (const { src, type } of icons) {
      const icon = await overSocket(app, src)
      expect([icon.statusCode, icon.headers['content-type']], src).toEqual([200, type])
    }
    for (const script of ['/service-worker.js', '/offline-files.js']) {
      const answer = await overSocket(app, script)
      expect(answer.headers['content-type'], script).toMatch(/javascript/)
      expect(answer.headers['cache-control'], script).toBe('no-cache')
      expect(answer.headers['content-security-policy'], script).toContain("worker-src 'self'")
    }
  })

  it('come compressed to those who take that', async () => {
    const names = await readdir(join(DIST, 'assets'))
    const script = names.find((name) => names.includes(`${name}.br`)) ?? ''
    const app = testApp()
    const plain = await overSocket(app, `/assets/${script}`)
    const small = await overSocket(app, { url: `/assets/${script}`, headers: { 'accept-encoding': 'br' } })
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(small.headers['content-encoding']).toBe('br')
    expect(small.bytes.length).toBeLessThan(plain.bytes.length / 2)
    expect(small.headers['vary']).toContain('accept-encoding')
  })
})
