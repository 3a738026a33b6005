/** Breaks each gate of scripts/ci.ts that is a tool with our settings, or a script that compares files. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectMentioned, expectPicture } from '../../scripts/readme-images/picture.ts'
import { staleFiles } from '../../scripts/stale-files.ts'

const root = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 60_000

let tree: string

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'akashi-gates-'))
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  write(
    'package.json',
    JSON.stringify({ name: 'x', private: true, type: 'module', dependencies: { zod: '*', pg: '*' } }),
  )
})

afterEach(() => rmSync(tree, { recursive: true, force: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true })
  writeFileSync(join(tree, path), text)
}

/** Writes a file of settings of this repository, changed, into the tree. */
function writeSettings(name: string, change: (text: string) => string): void {
  write(name, change(readFileSync(join(root, name), 'utf8')))
}

/** Runs a program in the tree. A gate that has found something has another status than 0. */
async function run(program: string, ...args: string[]): Promise<{ status: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: tree })
    return { status: 0, output: stdout + stderr }
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string }
    return { status: failed.code, output: failed.stdout + failed.stderr }
  }
}

const tool = (name: string) => join(root, 'node_modules/.bin', name)

test('format and lint', { timeout: TIMEOUT_MS }, async () => {
  // The tree is no git repository.
  writeSettings('biome.json', (text) =>
    text.replace('"vcs": { "enabled": true', '"vcs": { "enabled": false').replace(/ {2}"\$schema".*\n/, ''),
  )
  write('src/fine.ts', 'export const fine = 1\n')
  write('src/format.ts', 'export const text = "x";\n')
  write('src/any.ts', 'export type A = any\n')
  write('src/bang.ts', 'export const first = (list: string[]): string => list[0]!\n')
  write(
    'src/floating.ts',
    'async function wait(): Promise<void> {}\nexport function f(): void {\n  wait()\n}\n',
  )
  const { status, output } = await run(tool('biome'), 'ci', '--error-on-warnings', '--reporter=json', 'src')
  expect(status).toBe(1)
  const found = [...output.matchAll(/"category":"([^"]*)","location":\{"path":"([^"]*)"/g)]
  expect(found.map(([, category, path]) => `${path} ${category}`).sort()).toEqual([
    'src/any.ts lint/suspicious/noExplicitAny',
    'src/bang.ts lint/style/noNonNullAssertion',
    'src/floating.ts lint/nursery/noFloatingPromises',
    'src/format.ts format',
  ])
})

test('types', { timeout: TIMEOUT_MS }, async () => {
  write('tsconfig.json', JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['src'] }))
  write('src/fine.ts', 'export const fine = 1\n')
  write('src/wrong.ts', "export const n: number = 'x'\n")
  write('src/unchecked.ts', 'export const first = (list: string[]): string => list[0]\n')
  write('src/exact.ts', 'export const o: { a?: string } = { a: undefined }\n')
  write('src/enum.ts', 'export enum E { a }\n')
  const { status, output } = await run(tool('tsc'), '-p', '.')
  expect(status).not.toBe(0)
  expect(
    [...output.matchAll(/^(\S+)\(.*?: error (TS\d+)/gm)].map(([, path, code]) => `${path} ${code}`),
  ).toEqual(['src/enum.ts TS1294', 'src/exact.ts TS2375', 'src/unchecked.ts TS2322', 'src/wrong.ts TS2322'])
})

test('types of the pages', { timeout: TIMEOUT_MS }, async () => {
  write('tsconfig.json', JSON.stringify({ extends: join(root, 'web/tsconfig.json'), include: ['src'] }))
  write('src/fine.tsx', 'export const Fine = () => <p>{document.title}</p>\n')
  write('src/wrong.tsx', 'export const Wrong = () => <p hidden="maybe" tabIndex="x" />\n')
  const { status, output } = await run(tool('tsc'), '-p', '.')
  expect(status).not.toBe(0)
  expect(output).toMatch(/^src\/wrong[.]tsx\(.*error TS2322/m)
  expect(output).not.toContain('fine.tsx')
})

test('pages', { timeout: TIMEOUT_MS }, async () => {
  for (const name of ['build.ts', 'vite.config.ts', 'package.json'])
    cpSync(join(root, 'web', name), join(tree, 'web', name))
  write('contract/index.ts', '')
  write('web/public/robots.txt', '')
  write('web/index.html', '<script type="module" src="/src/main.ts"></script>')
  write('web/src/main.ts', "import './missing.ts'\n")
  const broken = await run(process.execPath, 'web/build.ts')
  expect(broken).toMatchObject({ status: 1, output: expect.stringContaining('missing.ts') })
  write('web/src/main.ts', 'console.log(1)\n')
  write('web/src/evidence/viewer.ts', 'console.log(2)\n')
  for (const name of ['src/evidence/viewer.css', 'public/scheme.js', 'public/seal.svg'])
    write(`web/${name}`, '')
  expect(await run(process.execPath, 'web/build.ts')).toMatchObject({ status: 0 })
})

test('unused code and packages', { timeout: TIMEOUT_MS }, async () => {
  writeSettings('knip.json', (text) => text.replace(/ {2}"\$schema".*\n/, ''))
  write('src/audit/index.ts', "export { used } from './used.ts'\n")
  write('src/audit/used.ts', "import { z } from 'zod'\nexport const used = z\nexport const unused = 1\n")
  write('src/audit/lost.ts', 'export const lost = 1\n')
  const { status, output } = await run(tool('knip'), '--reporter', 'compact')
  expect(status).toBe(1)
  for (const found of [/lost[.]ts/, /used[.]ts.*unused/, /package[.]json.*pg/]) expect(output).toMatch(found)
  expect(output).not.toContain('zod')
})

test('generated documents and schema dump', async () => {
  write('schema.sql', 'create table t ();\n')
  write('catalog.json', '{}\n')
  expect(await staleFiles(tree, { 'schema.sql': 'create table t ();\n', 'catalog.json': '{}\n' })).toEqual([])
  expect(await staleFiles(tree, { 'schema.sql': '', 'catalog.json': '{}\n', 'new.json': '' })).toEqual([
    'schema.sql',
    'new.json',
  ])
})

test('pictures of the README', async () => {
  const blank = join(tree, 'blank.png')
  const size = { width: 64, height: 64, channels: 3 } as const
  await sharp({ create: { ...size, background: 'white' } })
    .png()
    .toFile(blank)
  await expect(expectPicture(blank, size.width)).rejects.toThrow('not a picture of a page')
  const page = join(tree, 'page.png')
  await sharp(randomBytes(size.width * size.height * size.channels), { raw: size })
    .png()
    .toFile(page)
  await expectPicture(page, size.width)
  await expect(expectPicture(page, size.width + 1)).rejects.toThrow('not a picture of a page')
  expect(() => expectMentioned('![a](docs/images/a.png)', 'docs/images/b.png')).toThrow('not in the README')
})

describe('the list of gates', () => {
  const gates = [
    ...readFileSync(join(root, 'scripts/ci.ts'), 'utf8').matchAll(/(?:name: |optional\(\s*)'([^']+)'/g),
  ].map(([, name = '']) => name)

  test('is the one in CONTRIBUTING.md', () => {
    const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
    const section = /## The gates\n([\s\S]*?)\n## /.exec(text)?.[1] ?? ''
    const rows = [...section.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => cell.split(', '))
    expect(rows.filter((row) => !['gate', '---'].includes(row)).sort()).toEqual([...gates].sort())
  })
})
