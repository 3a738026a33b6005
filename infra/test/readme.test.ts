import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { drawing, drawnIn, PAGES, stacksOf } from '../scripts/diagram.ts'

const FOLDER = join(import.meta.dirname, '..')
const { context } = JSON.parse(readFileSync(join(FOLDER, 'cdk.json'), 'utf8'))
const read = (path: string) => readFileSync(join(FOLDER, path), 'utf8')
const SETTINGS = { en: 'docs/settings.md', ja: 'docs/settings.ja.md' }
const READMES = { en: 'README.md', ja: 'README.ja.md' }
/** What an operator reads at once, with its drawing. */
const PAGE_LINES = 140

describe('the drawings', () => {
  const stacks = stacksOf(context)
  test.each(PAGES)('$path shows the stacks as they are; npm run diagram', (page) => {
    expect(drawnIn(read(page.path))).toBe(drawing(page, stacks))
  })
})

test.each(Object.values(SETTINGS))('%s names files that are there', (path) => {
  const files = [
    ...read(path).matchAll(/`((?:bin|lib|test|scripts)\/[\w./-]+\.ts|parameter\.ts|cdk\.json)`/g),
  ].map(([, file]) => file ?? '')
  expect(files.length).toBeGreaterThan(30)
  for (const file of files) expect(existsSync(join(FOLDER, file)), file).toBe(true)
})

test('both languages name the same files, numbers and commands', () => {
  for (const pages of [SETTINGS, READMES]) {
    const said = Object.values(pages).map((path) =>
      // A comment of a command is for people.
      [
        ...read(path)
          .replaceAll(/ +# .*$/gm, '')
          .matchAll(/`([^`\n]+)`|\| ([\d,]+) (?=\|)|^((?:npx|aws|npm) .*)$/gm),
      ]
        .map(([, code, number, command]) => code ?? number ?? command ?? '')
        .filter((one) => !/^[A-B] -/.test(one))
        .toSorted(),
    )
    expect(said[0]).toEqual(said[1])
  }
})

test.each(Object.values(READMES))('%s is a page, whose links lead somewhere', (path) => {
  const text = read(path)
  expect(text.split('\n').length).toBeLessThan(PAGE_LINES)
  const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link ?? '')
  expect(links.length).toBeGreaterThan(5)
  for (const link of links) expect(existsSync(join(FOLDER, dirname(path), link)), link).toBe(true)
})
