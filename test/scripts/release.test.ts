import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { billsOfMaterials, cutChangelog, requireNewer, withVersion } from '../../scripts/release.ts'

describe('a release', () => {
  it('takes what is unreleased in the changelog, and is refused when there is nothing', () => {
    const text = '# Changelog\n\n## Unreleased\n\n### Added\n\n- Tea.\n\n## 0.1.0 (2026-01-01)\n\n- Water.\n'
    expect(cutChangelog(text, '0.2.0', '2026-11-29')).toBe(
      '# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-11-29)\n\n### Added\n\n- Tea.\n\n## 0.1.0 (2026-01-01)\n\n- Water.\n',
    )
    expect(() => cutChangelog(text.replace('- Tea.', ''), '0.2.0', '2026-11-29')).toThrow(/nothing/)
  })

  it('gives all packages of the repository one version, and no other package another', () => {
    const manifest = {
      name: 'akashi',
      version: '0.1.0',
      dependencies: { pg: '8.0.0' },
      devDependencies: { '@akashi/client': '0.1.0', zod: '0.1.0' },
    }
    expect(JSON.parse(withVersion(JSON.stringify(manifest), '0.2.0'))).toEqual({
      name: 'akashi',
      version: '0.2.0',
      dependencies: { pg: '8.0.0' },
      devDependencies: { '@akashi/client': '0.2.0', zod: '0.1.0' },
    })
  })

  it.each([
    ['0.1.0', '0.1.0'],
    ['0.1.0-rc.1', '0.1.0'],
    ['0.0.9', '0.1.0'],
    ['1.0', '0.1.0'],
    ['v1.0.0', '0.1.0'],
  ])('%s is refused after %s', (next, current) => {
    expect(() => requireNewer(next, current)).toThrow()
  })

  it.each([
    ['0.2.0', '0.1.9'],
    ['0.2.0', '0.2.0-rc.1'],
    ['1.0.0-rc.1', '0.9.0'],
  ])('%s may follow %s', (next, current) => {
    expect(() => requireNewer(next, current)).not.toThrow()
  })

  it('names what is installed with the server, and no tool of the repository', {
    timeout: 120_000,
  }, async () => {
    const bills = await billsOfMaterials(await readFile('package.json', 'utf8'))
    const { bomFormat, components } = JSON.parse(bills.get('cdx') ?? '') as {
      bomFormat: string
      components: { name: string }[]
    }
    expect(bomFormat).toBe('CycloneDX')
    const names = components.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['fastify', 'pg', 'zod']))
    expect(names).not.toContain('vitest')
    expect(names).not.toContain('react')
    expect(JSON.parse(bills.get('spdx') ?? '')).toMatchObject({ spdxVersion: 'SPDX-2.3' })
  })
})
