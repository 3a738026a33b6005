import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { conditionNames } from '../../../src/operations/index.ts'
import { sectionOf } from '../../../web/src/console/operations/runbook-text.ts'

describe('the runbook beside an alarm', () => {
  it('has a section for each condition that an alarm is raised for', async () => {
    const page = await readFile('docs/operations.md', 'utf8')
    for (const name of conditionNames) expect(sectionOf(page, name).length, name).toBeGreaterThan(0)
  })

  it('keeps code as it is, drops marks from text, and ends at the next heading', () => {
    const page =
      '### a\n\nSee [b](c.md) and `d`.\n\n```sql\n# not a heading\nselect `e`;\n```\n\n### f\n\nother'
    expect(sectionOf(page, 'a')).toEqual([
      { kind: 'text', text: 'See b and d.' },
      { kind: 'code', text: '# not a heading\nselect `e`;' },
    ])
    expect(sectionOf(page, 'g')).toEqual([])
  })
})
