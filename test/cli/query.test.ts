import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { akashi } from './world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-cost-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('akashi cost', () => {
  test('answers the document of the design', async () => {
    const { status, stdout } = await akashi(['cost', '--json'])
    expect(status).toBe(0)
    const { assumptions, months, totals } = JSON.parse(stdout)
    expect(assumptions).toMatchObject({ users: 1_000_000, dailyGb: 50 })
    expect(months).toHaveLength(60)
    expect(totals).toMatchObject({ keep: 328_680, archive: { storage: 53_175.96 } })
  })

  test('takes parameters, prices and tiers, and draws', async () => {
    const svg = join(folder, 'cost.svg')
    const { stdout } = await akashi([
      'cost',
      '--years',
      '1',
      '--users',
      '1000',
      '--tiers',
      'deep:90',
      '--svg',
      svg,
    ])
    expect(stdout).toContain('1 years: ')
    expect(await readFile(svg, 'utf8')).toContain('</svg>')
  })

  test.each([
    [['--years', 'many'], /years/],
    [['--preset', 'mine'], /preset/],
    [['--prices', '/nonexistent'], /not a valid price file/],
    [['--tiers', 'deep'], /not a valid list of tiers/],
  ])('refuses %j', async (flags, message) => {
    const { status, stderr } = await akashi(['cost', ...flags])
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)])
  })
})

test.each([
  [['query', 'select 1', '--format', 'xml'], /not a format/],
  [['query', 'select 1', '--format', 'parquet'], /--output/],
  [['ddl', 'athena', 'akashi.akashi_security.events'], /schema\.table/],
])('%j is refused before anything is opened', async (argv, message) => {
  const { status, stderr } = await akashi(argv)
  expect([status, stderr]).toEqual([2, expect.stringMatching(message)])
})
