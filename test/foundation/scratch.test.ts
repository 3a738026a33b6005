import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeScratchFolder } from '../../src/foundation/index.ts'

const before = process.env['TMPDIR']
let place: string

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'akashi-place-'))
  process.env['TMPDIR'] = place
})

afterAll(async () => {
  if (before === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = before
  await rm(place, { recursive: true, force: true })
})

it('is for this account only, and those that nobody came back to go a day later', async () => {
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000)
  const left = await makeScratchFolder('archive')
  await writeFile(join(left, 'rows.csv'), 'secret')
  const atWork = await makeScratchFolder('query')
  const others = join(place, 'other-program')
  await mkdir(others)
  for (const [path, days] of [
    [left, 1.01],
    [atWork, 0.9],
    [others, 30],
  ] as const) {
    await utimes(path, daysAgo(days), daysAgo(days))
  }
  const next = await makeScratchFolder('archive')
  expect([left, atWork, others, next].map((path) => existsSync(path))).toEqual([false, true, true, true])
  expect((await stat(next)).mode & 0o777).toBe(0o700)
})
