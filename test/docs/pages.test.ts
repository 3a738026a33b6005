/** The pages of the repository hang together: a link leads somewhere, and every page is found from README. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const LINK = /\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g

/** Pages for the documents of the requirements on access control and its audit log. */
const PROMISED = [
  'README.md',
  'docs/access.md',
  'docs/archive.md',
  'docs/backup.md',
  'docs/ingest.md',
  'docs/ledger.md',
  'docs/migrations.md',
  'docs/query-patterns.md',
  'docs/sign-in.md',
  'docs/trail.md',
]

function pages(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return folder === root && entry.name !== 'docs' ? [] : pages(path)
    return entry.name.endsWith('.md') ? [relative(root, path)] : []
  })
}

function linksOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
  return [...text.matchAll(LINK)].map(([, target = '']) =>
    relative(root, resolve(root, dirname(page), target)),
  )
}

test.each(pages())('%s links to what is there', (page) => {
  expect(linksOf(page).filter((target) => !existsSync(join(root, target)))).toEqual([])
})

test('every page is found from README', () => {
  const found = new Set(['README.md'])
  for (const page of found) {
    for (const target of linksOf(page)) {
      const folder = existsSync(join(root, target)) && statSync(join(root, target)).isDirectory()
      if (target.endsWith('.md')) found.add(target)
      else if (folder && existsSync(join(root, target, 'README.md'))) found.add(join(target, 'README.md'))
    }
  }
  expect(pages().filter((page) => !found.has(page))).toEqual([])
  expect(PROMISED.filter((page) => !found.has(page))).toEqual([])
})

test('the page of migrations names each of them', () => {
  const text = readFileSync(join(root, 'docs/migrations.md'), 'utf8')
  const names = readdirSync(join(root, 'migrations')).flatMap(
    (name) => /^(.+)[.]up[.]sql$/.exec(name)?.[1] ?? [],
  )
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
})
