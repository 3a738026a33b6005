import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi } from '../../scripts/akashi-process.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-rules-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('akashi detect', () => {
  it('checks the pack and names what it refuses in other folders', async () => {
    const fine = await akashi(['detect', 'check', '--json'])
    expect(fine.status).toBe(0)
    expect(JSON.parse(fine.stdout)).toMatchObject({ refused: [], failures: [] })
    await writeFile(join(folder, 'mine.yml'), 'title: x\nid: "1"\nlogsource:\n  product: windows\n')
    const refused = await akashi(['detect', 'check', '--rules', folder])
    expect(refused.status).toBe(1)
    expect(refused.stdout).toContain('mine.yml:4: Akashi has no events of windows')
  })

  it('explains a rule, and knows which there are', async () => {
    const explained = await akashi(['detect', 'explain', 'brute_force_by_address'])
    expect(explained.stdout).toContain('1つのアドレスからの総当たり攻撃')
    expect(explained.stdout).toContain('T1110')
    expect((await akashi(['detect', 'explain', 'nothing'])).status).not.toBe(0)
    expect((await akashi(['detect', 'rules'])).stdout).toContain('password_spraying')
  })
})
