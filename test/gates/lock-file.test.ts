import { expect, test } from 'vitest'
import { lockMistakes } from '../../scripts/check-lock.ts'

const manifest = { dependencies: { pg: '8.23.1' }, devDependencies: { vitest: '4.1.12' } }
const entry = { version: '1.0.0', integrity: 'sha512-x' }
const packages = { '': manifest, 'node_modules/pg': entry, 'node_modules/vitest': entry }

function mistakes(changed: { manifest?: unknown; packages?: unknown }): string[] {
  return lockMistakes(
    JSON.stringify(changed.manifest ?? manifest),
    JSON.stringify({ packages: changed.packages ?? packages }),
  )
}

test('a sound pair has no mistakes', () => {
  expect(mistakes({})).toEqual([])
})

test('a workspace link is no download address', () => {
  const linked = { ...packages, 'node_modules/@akashi/web': { resolved: 'web', link: true } }
  expect(mistakes({ packages: linked })).toEqual([])
})

test('a download address is named', () => {
  const addressed = { ...packages, 'node_modules/pg': { ...entry, resolved: 'https://example.org/pg' } }
  expect(mistakes({ packages: addressed })).toEqual(['node_modules/pg: has a download address'])
})

test('a package without a digest is named', () => {
  const undigested = { ...packages, 'node_modules/pg': { version: '1.0.0' } }
  expect(mistakes({ packages: undigested })).toEqual(['node_modules/pg: has no integrity digest'])
})

test('a package within another needs no digest of its own', () => {
  const bundled = { ...packages, 'node_modules/pg/node_modules/inner': { version: '1.0.0', inBundle: true } }
  expect(mistakes({ packages: bundled })).toEqual([])
})

test('a package for another platform that is left out is named', () => {
  const native = { ...entry, optionalDependencies: { '@native/linux': '1.0.0', '@native/darwin': '1.0.0' } }
  const lacking = {
    ...packages,
    'node_modules/a/node_modules/native': native,
    'node_modules/@native/linux': entry,
  }
  expect(mistakes({ packages: lacking })).toEqual([
    'node_modules/a/node_modules/native: its optional @native/darwin is not locked',
  ])
  const nested = { ...lacking, 'node_modules/a/node_modules/@native/darwin': entry }
  expect(mistakes({ packages: nested })).toEqual([])
})

test('a stale lock is named, in both directions', () => {
  const changed = {
    dependencies: { pg: '8.23.2' },
    devDependencies: {},
    optionalDependencies: { zod: '4.6.7' },
  }
  expect(mistakes({ manifest: changed })).toEqual([
    'dependencies pg: package.json and lock disagree',
    'devDependencies vitest: package.json and lock disagree',
    'optionalDependencies zod: package.json and lock disagree',
  ])
})

test('a range of versions is refused', () => {
  const ranged = { dependencies: { pg: '^8.23.1' }, devDependencies: {} }
  expect(mistakes({ manifest: ranged, packages: { '': ranged } })).toEqual([
    'dependencies pg: ^8.23.1 is not an exact version',
  ])
})
