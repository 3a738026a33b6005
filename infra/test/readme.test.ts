import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { drawing, drawnIn, type Language, READMES } from '../scripts/diagram.ts'

const FOLDER = join(import.meta.dirname, '..')
const { context } = JSON.parse(readFileSync(join(FOLDER, 'cdk.json'), 'utf8'))

describe.each(Object.entries(READMES))('the README in %s', (language, name) => {
  const text = readFileSync(join(FOLDER, name), 'utf8')

  test('shows the stacks as they are; npm run diagram', () => {
    expect(drawnIn(text)).toBe(drawing(language as Language, context))
  })

  test('names files that are there', () => {
    const files = [
      ...text.matchAll(/`((?:bin|lib|test|scripts)\/[\w./-]+\.ts|parameter\.ts|cdk\.json)`/g),
    ].map(([, path]) => path ?? '')
    expect(files.length).toBeGreaterThan(10)
    for (const file of files) expect(existsSync(join(FOLDER, file)), file).toBe(true)
  })
})

test('both READMEs name the same files', () => {
  const files = Object.values(READMES).map((name) =>
    [...readFileSync(join(FOLDER, name), 'utf8').matchAll(/`([\w/-]+\.ts)`/g)].map(([, path]) => path),
  )
  expect(files[0]).toEqual(files[1])
})
