import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cachedRuleFolders } from '../../src/detection/pack-cache.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-rules-'))
})
afterAll(() => rm(folder, { recursive: true }))

const rule = (name: string) =>
  `title: T\nid: ${name}\nname: ${name}\nlogsource: {product: akashi, service: security_events}\ndetection:\n  s: {user_name: x}\n  condition: s\n`
const names = async () => (await cachedRuleFolders([folder])).rules.map(({ name }) => name)

test('rules are compiled again when a file, the folder or a threshold changed, and only then', async () => {
  const file = join(folder, 'a.yml')
  await writeFile(file, rule('one'))
  const [first, meanwhile] = await Promise.all([cachedRuleFolders([folder]), cachedRuleFolders([folder])])
  expect(first.rules.map(({ name }) => name)).toEqual(['one'])
  expect(await cachedRuleFolders([folder])).toBe(first)
  expect(meanwhile.rules).toEqual(first.rules.map((each) => ({ ...each, fieldOf: expect.any(Function) })))

  // As long as before, and with the same time of change.
  const then = new Date('2026-01-01T00:00:00Z')
  await utimes(file, then, then)
  await cachedRuleFolders([folder])
  await writeFile(file, rule('two'))
  await utimes(file, then, then)
  expect(await names()).toEqual(['two'])

  await writeFile(join(folder, 'b.yml'), rule('three'))
  expect(await names()).toEqual(['two', 'three'])
  await rm(file)
  expect(await names()).toEqual(['three'])

  expect((await cachedRuleFolders([folder], { three: { off: true } })).rules).toEqual([])
  expect(await names()).toEqual(['three'])
})

test('a folder that cannot be read is not remembered', async () => {
  const later = join(folder, 'later')
  await expect(cachedRuleFolders([later])).rejects.toMatchObject({ code: 'not_found' })
  const { mkdir } = await import('node:fs/promises')
  await mkdir(later)
  await writeFile(join(later, 'c.yml'), rule('four'))
  expect((await cachedRuleFolders([later])).rules.map(({ name }) => name)).toEqual(['four'])
})
